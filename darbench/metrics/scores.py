"""How close generated images are to real ones, in the features of an extractor.

Frechet distance (Heusel et al. 2017, arXiv:1706.08500), kernel distance (Binkowski et al. 2018,
arXiv:1801.01401), inception score (Salimans et al. 2016, arXiv:1606.03498), improved precision and
recall (Kynkaanniemi et al. 2019, arXiv:1904.06991), all through torch-fidelity's functions on
features, and a check against memorised training images. One feature pass serves all. Nothing here
prints, starts processes, or touches disk beyond reading the extractor's weights.

A broken generator still gets numbers. Images that are all alike have large, finite Frechet and
kernel distances, an inception score of 1, a recall near 0 (their neighbourhoods are points) and a
precision of 0 or 1, for the one image is either among the real ones or not: read precision beside
recall. A quantity without a finite value is None.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from darbench.metrics.extractors import extract, extractor
from darbench.records import content_hash

KID_SUBSETS, KID_LARGEST_SUBSET = 50, 1000
NEIGHBOURS = 3  # k of precision and recall
CHUNK = 2048  # rows of a distance matrix held at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The real images as the scores need them; made by `reference`, shared by all trials."""

    name: str  # of the extractor
    features: Tensor  # float64 (n_ref, d), of the training images
    statistics: dict[str, np.ndarray]  # mu (d,), sigma (d, d), float64
    pixels: np.ndarray  # float64 (n_ref, H * W * C), the training images in 0..255
    val_distance: float  # median L2 distance of a validation to its nearest training image
    ref_hash: str  # of the images' bytes, the extractor and its weights


_REFERENCES: dict[str, Reference] = {}  # by ref_hash


def reference(extractor_name: str, train_images: np.ndarray, val_images: np.ndarray) -> Reference:
    """The reference of uint8 images (N, H, W, C); computed once per process."""
    ref_hash = _reference_hash(extractor_name, train_images, val_images)
    if ref_hash not in _REFERENCES:
        features, _ = _features(extractor_name, train_images)
        pixels = _pixels(train_images)
        _REFERENCES[ref_hash] = Reference(
            name=extractor_name,
            features=features,
            statistics=fid_features_to_statistics(features),
            pixels=pixels,
            val_distance=float(np.median(nearest_distances(_pixels(val_images), pixels))),
            ref_hash=ref_hash,
        )
    return _REFERENCES[ref_hash]


def score(images: np.ndarray, reference: Reference) -> dict[str, Any]:
    """Columns of a result row for generated uint8 images (N, H, W, C).

    ValueError if N is below the number of features: a covariance of fewer samples says nothing.
    """
    features, logits = _features(reference.name, images)
    if _pixels(images).shape[1] != reference.pixels.shape[1]:
        raise ValueError(f"images {images.shape[1:]} differ in size from the reference's")
    kid, kid_se = kernel_distance(features, reference.features)
    precision, recall = precision_recall(features, reference.features)
    measured = {
        "fd": frechet_distance(fid_features_to_statistics(features), reference.statistics),
        "kid": kid,
        "kid_se": kid_se,
        "inception_score": inception_score(logits),
        "precision": precision,
        "recall": recall,
        "nn_distance_ratio": nn_distance_ratio(images, reference),
    }
    finite = {name: value if math.isfinite(value) else None for name, value in measured.items()}
    return finite | {"n_gen": len(images), "n_ref": len(reference.features)}


def frechet_distance(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> float:
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), eq. 6 of Heusel et al. 2017.

    Biased upwards by a term in 1/n. Rounding can push a distance of 0 just below; it is 0 then.
    """
    found = fid_statistics_to_metric(one, two, verbose=False)["frechet_inception_distance"]
    return max(0.0, found)


def kernel_distance(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """KID and its standard error: unbiased MMD^2 with the kernel (x.y / d + 1)^3.

    The mean over 50 fixed random subsets of half the smaller set, at most 1000, so a good
    generator may come out slightly negative. The standard error is the delete-d jackknife's (Shao
    and Wu 1989): the standard deviation over subsets of m out of n, times sqrt(m / (n - m)), which
    is 1 up to n = 2000. It covers the sampling of both sets, and errs upwards when one set is
    larger or both have the same distribution. Dividing by sqrt(50) would only state how well the
    subsets average.
    """
    n = min(len(generated), len(real))
    m = min(n // 2, KID_LARGEST_SUBSET)
    found = kid_features_to_metric(
        generated, real, kid_subsets=KID_SUBSETS, kid_subset_size=m, verbose=False
    )
    kid, spread = found.values()
    return kid, spread * math.sqrt(m / (n - m))


def inception_score(logits: Tensor) -> float:
    """exp(mean KL(p(y|x) || p(y))), between 1 and the number of classes.

    Over all samples at once: ten splits, made for 50 000 samples, would bias a small set downwards
    (Barratt and Sharma 2018, arXiv:1801.01973).
    """
    return isc_features_to_metric(logits, splits=1, shuffle=False)["inception_score_mean"]


def precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Share of generated samples among the real ones' k-neighbourhoods, and the reverse; k = 3."""
    found = prc_features_to_metric(
        generated,
        real,
        prc_neighborhood=NEIGHBOURS,
        prc_batch_size=CHUNK,
        save_cpu_ram=True,
        verbose=False,
    )
    return found["precision"], found["recall"]


def nn_distance_ratio(images: np.ndarray, reference: Reference) -> float:
    """Median distance of a sample to its nearest training image, over that of validation images.

    L2 in pixel space. Below 1 the samples hug the training images closer than fresh images do,
    which hints at memorisation; NaN when the validation images are copies of training images.
    """
    distance = float(np.median(nearest_distances(_pixels(images), reference.pixels)))
    return distance / reference.val_distance if reference.val_distance > 0 else math.nan


def nearest_distances(queries: np.ndarray, images: np.ndarray) -> np.ndarray:
    """L2 distance (Q,) of each row of (Q, P) to the nearest row of (N, P), for pixels / 255.

    The pixels come as whole numbers 0..255 in float64: |q|^2 - 2 q.x + |x|^2 is then exact.
    """
    squares = (images**2).sum(axis=1)
    nearest = []
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK]
        squared = (part**2).sum(axis=1)[:, None] - 2 * part @ images.T + squares
        nearest.append(squared.min(axis=1))
    return np.sqrt(np.concatenate(nearest)) / 255


def _features(extractor_name: str, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """Features (N, d) and logits (N, classes), float64; ValueError if N is below d."""
    net = extractor(extractor_name)
    layers = extract(net, images)
    features = layers[net.get_default_feature_layer_for_metric("fid")].double()
    logits = layers[net.get_default_feature_layer_for_metric("isc")].double()
    n, d = features.shape
    if n < d:
        raise ValueError(
            f"{n} images are too few to score with {extractor_name}'s {d} features; "
            f"give at least {d}, and several times that for numbers worth comparing"
        )
    return features, logits


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64)


def _reference_hash(extractor_name: str, train_images: np.ndarray, val_images: np.ndarray) -> str:
    parts = [extractor_name, extractor(extractor_name).weights_sha256]
    for images in (train_images, val_images):
        digest = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
        parts.append({"dtype": str(images.dtype), "shape": list(images.shape), "sha256": digest})
    return content_hash(parts)
