"""A dataset of images that fit into memory."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from darbench.data.base import Dataset, to_model_range


@dataclass(frozen=True, kw_only=True)
class Pixels(Dataset):
    """A dataset held in arrays: images uint8 (N, H, W, C), labels int64 (N,) in [0, classes)."""

    name: str
    classes: int
    train_images: np.ndarray
    train_labels: np.ndarray
    val_images: np.ndarray
    val_labels: np.ndarray
    # Indices of the training images that generated ones are compared with; None for all of them.
    references: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self.train_images.shape[1:]
        return channels, height, width

    @property
    def n_train(self) -> int:
        return len(self.train_images)

    @property
    def n_val(self) -> int:
        return len(self.val_images)

    @property
    def n_references(self) -> int:
        return len(self.reference_labels)

    @property
    def reference_images(self) -> np.ndarray:
        """Training images: FD asks how well their distribution was learnt."""
        return self.train_images if self.references is None else self.train_images[self.references]

    @property
    def reference_labels(self) -> np.ndarray:
        """Their labels: such sets are collected class by class."""
        return self.train_labels if self.references is None else self.train_labels[self.references]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the bytes of all four arrays, in order."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.val_images, self.val_labels):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def items(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        return to_items(self.train_images[index]), torch.from_numpy(self.train_labels[index])

    def val(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        return to_items(self.val_images[index]), torch.from_numpy(self.val_labels[index])


def to_items(images: np.ndarray) -> Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [-1, 1], as a tensor."""
    return torch.from_numpy(to_model_range(images))
