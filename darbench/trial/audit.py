"""What a trial really saw, as hashes in its rows: variants of one pair id must agree in them.

They are of the values that entered the model, not of the seeds these came from, so a variant that
shuffles otherwise or starts elsewhere is found out.
"""

import hashlib

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


class Audit:
    """Of a training run: the trunk it starts from, and the steps 1 to s, s the last power of two.
    Checkpoints of variants with different FLOPs lie at different steps, but powers of two are
    few: where theirs are the same, the hashes are."""

    def __init__(self, model: nn.Module):
        """`model` as it is before training."""
        self._data, self._noise = Digest(), Digest()
        self.columns: dict[str, str | int] = {"audit_init": trunk_audit(model)}  # of a row

    def add(self, step: int, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor) -> None:
        """The batch of the next step; labels as they enter it, some dropped."""
        self._data.add(x1=thinned(x1), label=label)
        self._noise.add(x0=thinned(x0), t=t)
        if step.bit_count() == 1:
            self.columns |= {
                "audit_step": step,
                "audit_data": self._data.hexdigest(),
                "audit_noise": self._noise.hexdigest(),
            }


def thinned(items: Tensor) -> Tensor:
    """Every k-th value of each item, (B, at most VALUES). k is odd, so that it comes by every
    column of a picture; hashing costs a fraction of drawing the noise then."""
    values = items.flatten(1)
    return values[:, :: -(-values.shape[1] // VALUES) | 1]


def trunk_audit(model: nn.Module) -> str:
    """Of names, shapes and values of all parameters but the routing's; before training, these are
    the same for every routing of one backbone."""
    digest = Digest()
    for name, values in model.named_parameters():
        if not name.startswith("routing."):
            digest.add(**{f"{name} {tuple(values.shape)}": values})
    return digest.hexdigest()
