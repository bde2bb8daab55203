"""What every dataset is: labelled items in the model's space, and their order in a run."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from darbench.listener import CountListener
from darbench.randomness import stream
from darbench.records.rules import MOST_VAL

if TYPE_CHECKING:  # what is known of a dataset without its items needs no torch
    from torch import Tensor


class Dataset(ABC):
    """Labelled items for training and validation, and pictures to compare generated ones with.

    Items are float32 (N, C, H, W) in the model's space, labels int64 (N,) in [0, classes),
    pictures uint8 (N, H, W, C).
    """

    name: str
    classes: int
    shape: tuple[int, int, int]  # (C, H, W) of an item
    n_train: int
    n_val: int
    n_references: int
    fingerprint: str  # hash of what a model learns from and is compared with
    reference_images: np.ndarray  # pictures that generated ones are compared with
    # Classes of the reference images, if every class has a fixed share of them; None if the images
    # were drawn at random.
    reference_labels: np.ndarray | None = None
    val_images: np.ndarray  # pictures (n_val, H, W, C)
    # What is to be known of how files were read, in words; each run says it once.
    remarks: Sequence[str] = ()

    @property
    def picture_bytes(self) -> int:
        """Bytes of one picture; by default a byte for each value of an item, as for pixels."""
        return math.prod(self.shape)

    def unpublished(self) -> str:
        """How the content differs from the published one where hashes of it are published, in
        words; empty if it does not differ or if there are none."""
        return ""

    @abstractmethod
    def items(self, index: np.ndarray) -> "tuple[Tensor, Tensor]":
        """Items and labels of the training part, without augmentation or noise."""

    @abstractmethod
    def val(self, index: np.ndarray) -> "tuple[Tensor, Tensor]":
        """Items and labels of the validation part."""

    def apart(self) -> "tuple[Tensor, Tensor] | None":
        """Items of sources that the other parts show nothing of, such as whole photographs, under
        the label of none, `classes`; None for data without such a part."""
        return None

    def train(self, seed: int, positions: range) -> "tuple[Tensor, Tensor]":
        """Items and labels at these positions of the endless sequence that a run of that seed
        sees. Each item is a function of (seed, position) alone."""
        return self.items(self.order(seed, positions))

    def order(self, seed: int, positions: range) -> np.ndarray:
        """Index in [0, n_train) at each position. Each epoch is shuffled anew; the epochs follow
        one another without a gap."""
        n = self.n_train
        return np.array([_epoch(seed, p // n, n)[p % n] for p in positions])

    def verify(self, listener: CountListener) -> None:  # noqa: B027 most have read all
        """Check the parts that loading did not read; BadInput if they are not as written."""

    def decode(self, x: "Tensor") -> np.ndarray:
        """Pictures of items; for pixels this is the inverse of `to_model_range`.

        FloatingPointError if a value is not finite.
        """
        return to_uint8(x.cpu().numpy())


@lru_cache(maxsize=2)  # a batch may run from one epoch into the next
def _epoch(seed: int, epoch: int, n: int) -> np.ndarray:
    return stream(seed, "data", epoch).permutation(n)


def split(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation indices of n items in a fixed random order; a tenth is held out."""
    order = stream(0, "split").permutation(n)
    n_val = min(n // 10, MOST_VAL)
    return order[n_val:], order[:n_val]


def to_model_range(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [-1, 1]."""
    return np.moveaxis(images, -1, 1).astype(np.float32, order="C") / 127.5 - 1


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Float (N, C, H, W) in [-1, 1] -> uint8 (N, H, W, C), rounded half to even, clipped.

    FloatingPointError if a value is not finite: a cast would turn it into some colour.
    """
    if not np.isfinite(x).all():
        raise FloatingPointError("pixels are not finite")
    return np.moveaxis(np.rint(np.clip(x * 127.5 + 127.5, 0, 255)), 1, -1).astype(np.uint8)
