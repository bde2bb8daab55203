"""The real images as the scores need them, computed once and shared by all trials."""

import hashlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from darbench.metrics.extractors import extractor
from darbench.metrics.feature_cache import features_of
from darbench.metrics.frechet import Statistics, statistics
from darbench.metrics.layers import Layers
from darbench.metrics.neighbours import nearest_distances
from darbench.records import content_hash


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """Made by `reference`; the training images are in the order of their content."""

    name: str  # of the extractor
    features: Tensor  # float64 (n_ref, d), of the training images
    statistics: Statistics  # of the features
    spatial: Statistics | None  # of the spatial layer, if the extractor has one
    pixels: np.ndarray  # uint8 (n_ref, H * W * C), the training images
    val_distance: float  # median L2 distance of a validation to its nearest training image
    ref_hash: str  # of the images' bytes, the extractor and its weights


_REFERENCES: dict[str, Reference] = {}  # by ref_hash


def reference(extractor_name: str, train_images: np.ndarray, val_images: np.ndarray) -> Reference:
    """The reference of uint8 images (N, H, W, C), in whatever order; made once per process."""
    train_images, val_images = (x[content_order(x)] for x in (train_images, val_images))
    ref_hash = _reference_hash(extractor_name, train_images, val_images)
    if ref_hash not in _REFERENCES:
        _REFERENCES[ref_hash] = _make(extractor_name, train_images, val_images, ref_hash)
    return _REFERENCES[ref_hash]


def content_order(images: np.ndarray) -> np.ndarray:
    """Indices (N,) that sort images (N, ...) by their bytes: all sums and shuffles go by it."""
    flat = pixels_of(np.ascontiguousarray(images))
    whole = flat.view(np.dtype((np.void, flat.shape[1] * flat.itemsize))).ravel()
    return np.argsort(whole, kind="stable")


def pixels_of(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _make(name: str, train: np.ndarray, val: np.ndarray, ref_hash: str) -> Reference:
    layers, pixels = Layers.of(name, features_of(name, train)), pixels_of(train)
    return Reference(
        name=name,
        features=layers.features,
        statistics=statistics(layers.features),
        spatial=None if layers.spatial is None else statistics(layers.spatial),
        pixels=pixels,
        val_distance=float(np.median(nearest_distances(pixels_of(val), pixels))),
        ref_hash=ref_hash,
    )


def _reference_hash(name: str, train: np.ndarray, val: np.ndarray) -> str:
    parts = [name, extractor(name).weights_sha256]
    for images in (train, val):
        digest = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
        parts.append({"dtype": str(images.dtype), "shape": list(images.shape), "sha256": digest})
    return content_hash(parts)
