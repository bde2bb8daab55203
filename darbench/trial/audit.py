"""What a trial really saw, as hashes in its rows: variants of one pair id must agree in them.

They are of the values that entered the model, not of the seeds these came from, so a variant that
shuffles otherwise or starts elsewhere is found out.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

VALUES = 256  # of a training sample, and of a sample's noise, that are hashed at most


class Digest:
    """Running hash of named sequences; how each is cut into pieces makes no difference."""

    def __init__(self):
        self._parts: dict[str, hashlib._Hash] = {}

    def add(self, **parts: Tensor) -> None:
        """The next items (B, ...) of each sequence."""
        for name, items in parts.items():
            own = self._parts.setdefault(name, hashlib.sha256())
            own.update(items.detach().cpu().contiguous().numpy())

    def hexdigest(self) -> str:
        """16 hex digits, whatever the order in which the sequences came up."""
        named = (f"{name}={own.hexdigest()}" for name, own in sorted(self._parts.items()))
        return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


@dataclass
class Audit:
    """The audit of a training run: of the trunk it starts from, and of the steps 1 to s.

    Both digests are chains: each step's is made of the last one and of the step's batch. s is the
    last power of two. Checkpoints of variants with different FLOPs lie at different steps, but
    powers of two are few: where theirs are the same, the digests are.
    """

    columns: dict[str, str | int]  # of a row
    step: int = 0  # that the digests have come to
    data: str = ""
    noise: str = ""

    @classmethod
    def begin(cls, model: nn.Module) -> "Audit":
        """The audit of a model that has not been trained yet."""
        return cls({"audit_init": trunk_audit(model)})

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Audit":
        """The audit of a run that goes on where this state was saved."""
        return cls(**state | {"columns": dict(state["columns"])})

    def state(self) -> dict[str, Any]:
        """Plain values, to be saved in the middle of a trial."""
        return asdict(self)

    def add(self, step: int, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor) -> None:
        """The batch of the next step; labels as they enter it, some dropped."""
        assert step == self.step + 1, f"step {step} after step {self.step}"
        self.step = step
        self.data = chained(self.data, x1=thinned(x1), label=label)
        self.noise = chained(self.noise, x0=thinned(x0), t=t)
        if step.bit_count() == 1:
            audits = {"audit_data": self.data, "audit_noise": self.noise}
            self.columns |= {"audit_step": step, **audits}


def chained(last: str, **parts: Tensor) -> str:
    """The digest of a step: of the last step's and of the parts of this one's batch."""
    digest = Digest()
    digest.add(**parts)
    return hashlib.sha256(f"{last}\n{digest.hexdigest()}".encode()).hexdigest()[:16]


def thinned(items: Tensor) -> Tensor:
    """Every k-th value of each item, (B, at most VALUES). k is odd, so that it comes by every
    column of a picture; hashing costs a fraction of drawing the noise then."""
    values = items.flatten(1)
    return values[:, :: -(-values.shape[1] // VALUES) | 1]


def trunk_audit(model: nn.Module) -> str:
    """The hash of names, shapes and values of all parameters but the routing's; before training,
    these are the same for every routing of one backbone."""
    digest = Digest()
    for name, values in model.named_parameters():
        if not name.startswith("routing."):
            digest.add(**{f"{name} {tuple(values.shape)}": values})
    return digest.hexdigest()
