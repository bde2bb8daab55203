"""What every dataset is: uint8 images with labels, a training and a validation part."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from darbench.errors import unknown

# Each module defines load() -> Dataset; it is imported when its dataset is asked for.
_MODULES = {"digits": "darbench.data.digits"}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images are uint8 (N, H, W, C), labels int64 (N,) in [0, classes)."""

    name: str
    classes: int
    train_images: np.ndarray
    train_labels: np.ndarray
    val_images: np.ndarray
    val_labels: np.ndarray

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)"""
        return self.train_images.shape[1:]

    @property
    def fingerprint(self) -> str:
        """Hash of the bytes of all four arrays, in order."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.val_images, self.val_labels):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def names() -> list[str]:
    return sorted(_MODULES)


def load(name: str) -> Dataset:
    """The dataset of that name; BadInput with near names if there is none."""
    if name not in _MODULES:
        raise unknown("dataset", name, _MODULES)
    loader: Callable[[], Dataset] = import_module(_MODULES[name]).load
    return loader()


def to_model_range(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [-1, 1]."""
    return np.moveaxis(images, -1, 1).astype(np.float32) / 127.5 - 1


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Float (N, C, H, W) in [-1, 1] -> uint8 (N, H, W, C), rounded half to even, clipped."""
    return np.moveaxis(np.rint(np.clip(x * 127.5 + 127.5, 0, 255)), 1, -1).astype(np.uint8)
