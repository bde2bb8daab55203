"""What every dataset is: labelled items in the space the model works in, and how they are seen."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from torch import Tensor

from darbench.randomness import stream
from darbench.records.rules import MOST_VAL

Listener = Callable[[int, int, str], None]  # done, in all, what just happened if it is news


def silent(done: int, total: int, event: str) -> None:
    """The listener that tells nobody."""


class Dataset(ABC):
    """Items are float32 (N, C, H, W) in the model's space, labels int64 (N,) in [0, classes),
    pictures uint8 (N, H, W, C)."""

    name: str
    classes: int
    shape: tuple[int, int, int]  # (C, H, W) of an item
    n_train: int
    n_val: int
    n_references: int
    fingerprint: str  # hash of what is learnt and compared with
    reference_images: np.ndarray  # pictures that generated ones are compared with
    # Their classes, if every class has a set share of them; None if they were drawn at random.
    reference_labels: np.ndarray | None = None
    val_images: np.ndarray  # pictures (n_val, H, W, C)

    @property
    def picture_bytes(self) -> int:
        """Of one picture; where items are pixels, it has as many values as they."""
        return math.prod(self.shape)

    @abstractmethod
    def items(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        """Items and labels of the training part, as they are."""

    @abstractmethod
    def val(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        """Items and labels of the validation part."""

    def train(self, seed: int, positions: range) -> tuple[Tensor, Tensor]:
        """Items and labels at these positions of the endless sequence that a run of that seed
        sees; each is a function of (seed, position) alone."""
        return self.items(self.order(seed, positions))

    def order(self, seed: int, positions: range) -> np.ndarray:
        """Index in [0, n_train) at each position: epochs shuffled one by one, laid end to end."""
        n = self.n_train
        return np.array([_epoch(seed, p // n, n)[p % n] for p in positions])

    def verify(self, listener: Listener) -> None:  # noqa: B027 most have read all
        """BadInput if what was not read when the data were loaded is not as it was written."""

    def decode(self, x: Tensor) -> np.ndarray:
        """Pictures of items; of pixels, the inverse of `to_model_range`. FloatingPointError if any
        is not finite."""
        return to_uint8(x.cpu().numpy())


@lru_cache(maxsize=2)  # a batch may run from one epoch into the next
def _epoch(seed: int, epoch: int, n: int) -> np.ndarray:
    return stream(seed, "data", epoch).permutation(n)


def split(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation index of n items in a fixed shuffled order: a tenth is held out."""
    order = stream(0, "split").permutation(n)
    n_val = min(n // 10, MOST_VAL)
    return order[n_val:], order[:n_val]


def to_model_range(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [-1, 1]."""
    return np.moveaxis(images, -1, 1).astype(np.float32, order="C") / 127.5 - 1


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Float (N, C, H, W) in [-1, 1] -> uint8 (N, H, W, C), rounded half to even, clipped.
    FloatingPointError for what is not finite: a cast would make it some colour."""
    if not np.isfinite(x).all():
        raise FloatingPointError("pixels are not finite")
    return np.moveaxis(np.rint(np.clip(x * 127.5 + 127.5, 0, 255)), 1, -1).astype(np.uint8)
