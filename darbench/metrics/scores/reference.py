"""The real images as the scores need them, computed once and shared by all trials."""

import hashlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from darbench.metrics.extractors.extractor import Layers, extractor
from darbench.metrics.extractors.feature_cache import features_of
from darbench.metrics.scores.fd_ratio import HeldOut
from darbench.metrics.scores.frechet import Statistics, statistics
from darbench.metrics.scores.neighbours import nearest_distances, radii
from darbench.records.canonical import content_hash


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The real images as the scores need them; the training images are in the order of their
    content. `reference` makes one."""

    name: str  # the extractor's
    features: Tensor  # float64 (n_ref, d), from the training images
    labels: np.ndarray | None  # (n_ref,), if every label has a fixed share of them
    radii: Tensor  # float64 (n_ref,), of the features' neighbourhoods
    statistics: Statistics  # mean and covariance of the features
    spatial: Statistics | None  # the same for the spatial layer, if the extractor has one
    pixels: np.ndarray  # uint8 (n_ref, H * W * C), the training images
    held_out: HeldOut  # the validation images' features
    val_distance: float  # median L2 distance of a validation to its nearest training image
    ref_hash: str  # covers the images, their labels, the extractor and its weights


Labelled = tuple[np.ndarray, np.ndarray | None]  # images, and their labels where they are known

_REFERENCES: dict[tuple[str, bytes], Reference] = {}  # by ref_hash and validation labels


def reference(
    extractor_name: str,
    train_images: np.ndarray,
    val_images: np.ndarray,
    train_labels: np.ndarray | None = None,
    val_labels: np.ndarray | None = None,
) -> Reference:
    """The reference of uint8 images (N, H, W, C), in whatever order; made once per process.

    train_labels: (N,), given if every label has a fixed share of the training images.
    val_labels: (N,), without which FDr is of images of any label.
    """
    order = content_order(train_images, train_labels)
    val_order = content_order(val_images, val_labels)
    train_images, val_images = train_images[order], val_images[val_order]
    labels = None if train_labels is None else np.asarray(train_labels, np.int64)[order]
    ref_hash = _reference_hash(extractor_name, train_images, val_images, labels)
    val_labels = None if val_labels is None else np.asarray(val_labels, np.int64)[val_order]
    key = ref_hash, b"" if val_labels is None else val_labels.tobytes()
    if key not in _REFERENCES:
        train, val = (train_images, labels), (val_images, val_labels)
        _REFERENCES[key] = _make(extractor_name, train, val, ref_hash)
    return _REFERENCES[key]


def content_order(images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Indices (N,) that sort images (N, ...) by their bytes, and equal ones by their labels (N,).

    All sums and shuffles follow this order.
    """
    flat = pixels_of(np.ascontiguousarray(images))
    whole = flat.view(np.dtype((np.void, flat.shape[1] * flat.itemsize))).ravel()
    first = np.arange(len(images)) if labels is None else np.argsort(labels, kind="stable")
    return first[np.argsort(whole[first], kind="stable")]


def pixels_of(images: np.ndarray) -> np.ndarray:
    """Images (N, ...) as rows of pixels, (N, P)."""
    return images.reshape(len(images), -1)


def _make(name: str, train: Labelled, val: Labelled, ref_hash: str) -> Reference:
    images, labels = train
    layers, pixels = Layers.of(name, features_of(name, images)), pixels_of(images)
    moments = statistics(layers.features)
    return Reference(
        name=name,
        features=layers.features,
        labels=labels,
        radii=radii(layers.features),
        statistics=moments,
        spatial=None if layers.spatial is None else statistics(layers.spatial),
        pixels=pixels,
        held_out=_held_out(name, *val, moments),
        val_distance=float(np.median(nearest_distances(pixels_of(val[0]), pixels))),
        ref_hash=ref_hash,
    )


def _held_out(
    name: str, images: np.ndarray, labels: np.ndarray | None, moments: Statistics
) -> HeldOut:
    features = features_of(name, images)[extractor(name).layers["fid"]]
    return HeldOut(features=features.double().numpy(), labels=labels, real=moments)


def _reference_hash(name: str, *arrays: np.ndarray | None) -> str:
    parts: list = [name, extractor(name).weights_sha256]
    for x in arrays:
        if x is not None:
            digest = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
            parts.append({"dtype": str(x.dtype), "shape": list(x.shape), "sha256": digest})
    return content_hash(parts)
