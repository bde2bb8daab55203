"""Audits: hashes of a trial's random numbers, in which variants of one pair id must agree.

They are made of the values that entered the model, not of their seeds, so they detect a variant
that shuffles or starts differently.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

VALUES = 256  # the most values of a training sample, and of its noise, that are hashed


class Digest:
    """A running hash of named sequences, which may be added in pieces of any size."""

    def __init__(self):
        self._parts: dict[str, hashlib._Hash] = {}

    def add(self, **parts: Tensor) -> None:
        """Add the next items (B, ...) of each sequence."""
        for name, items in parts.items():
            own = self._parts.setdefault(name, hashlib.sha256())
            own.update(items.detach().cpu().contiguous().numpy())

    def hexdigest(self) -> str:
        """Return 16 hex digits, which do not depend on the order of the sequences."""
        named = (f"{name}={own.hexdigest()}" for name, own in sorted(self._parts.items()))
        return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


@dataclass
class Audit:
    """The audit of a training run: hashes of the trunk it starts from, and of the steps 1 to s.

    Those of the steps are chains: each is made of the last one and of the step's batch. s is the
    last power of two. Checkpoints of variants with different FLOPs lie at different steps, but
    powers of two are few: where theirs are the same, the digests are.
    """

    columns: dict[str, str | int]  # of a row
    step: int = 0  # that the digests have come to
    data: str = ""
    noise: str = ""
    draws: str = ""  # of the routing itself, in which variants differ; empty until it draws

    @classmethod
    def begin(cls, model: nn.Module) -> "Audit":
        """Start the audit of a model before its first step."""
        return cls({"audit_init": trunk_audit(model)})

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Audit":
        """Continue the audit of a run from a saved state."""
        return cls(**state | {"columns": dict(state["columns"])})

    def state(self) -> dict[str, Any]:
        """Return the state as plain values, which can be saved in the middle of a trial."""
        return asdict(self)

    def add(self, step: int, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor) -> None:
        """Add the batch of the next step; some of its labels are dropped already."""
        assert step == self.step + 1, f"step {step} after step {self.step}"
        self.step = step
        self.data = chained(self.data, x1=thinned(x1), label=label)
        self.noise = chained(self.noise, x0=thinned(x0), t=t)
        if step.bit_count() == 1:
            audits = {"audit_data": self.data, "audit_noise": self.noise}
            self.columns |= {"audit_step": step, **audits}

    def add_draws(self, digest: str) -> None:
        """Add the hash of what the routing drew in the step that was added; empty for nothing."""
        if digest:
            self.draws = _linked(self.draws, f"{self.step} {digest}")
        if self.draws and self.step.bit_count() == 1:
            self.columns |= {"audit_draws": self.draws}


def chained(last: str, **parts: Tensor) -> str:
    """Return the digest of a step, made of the last step's and of the parts of its batch."""
    digest = Digest()
    digest.add(**parts)
    return _linked(last, digest.hexdigest())


def _linked(last: str, digest: str) -> str:
    return hashlib.sha256(f"{last}\n{digest}".encode()).hexdigest()[:16]


def thinned(items: Tensor) -> Tensor:
    """Return every k-th value of each item, (B, at most VALUES).

    k is odd, so that all columns of a picture occur. Hashing then takes a fraction of the time in
    which the noise is drawn.
    """
    values = items.flatten(1)
    return values[:, :: -(-values.shape[1] // VALUES) | 1]


def trunk_audit(model: nn.Module) -> str:
    """Return the hash of names, shapes and values of all parameters but the routing's.

    Before training these are the same for every routing of one backbone.
    """
    digest = Digest()
    for name, values in model.named_parameters():
        if not name.startswith("routing."):
            digest.add(**{f"{name} {tuple(values.shape)}": values})
    return digest.hexdigest()
