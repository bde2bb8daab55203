"""What a trial's routing does, in a few columns of its rows: early in training, and at the end."""

import time
from dataclasses import dataclass, field

from darbench.data import Dataset
from darbench.diagnose.columns import scalar_columns
from darbench.flow.transport import Transport
from darbench.model.sit import SiT

EARLY_SHARE = 0.01  # of the budget, after which a model is diagnosed first


@dataclass(kw_only=True)
class Diagnosis:
    """The columns of what has been diagnosed so far, and how long that took."""

    dataset: Dataset
    transport: Transport
    device: str
    samples: int  # that a training step has in memory at once
    columns: dict[str, float] = field(default_factory=dict)

    def add(self, model: SiT, suffix: str = "") -> None:
        """Diagnose a model in evaluation; `suffix` ends the names of its columns."""
        started = time.perf_counter()
        found = scalar_columns(model, self.dataset, self.device, self.transport, self.samples)
        seconds = time.perf_counter() - started
        self.columns |= {f"{name}{suffix}": value for name, value in found.items()}
        self.columns["diagnose_seconds"] = self.columns.get("diagnose_seconds", 0.0) + seconds
