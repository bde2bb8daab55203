"""How close generated images are to real ones, in the features of an extractor.

Frechet distance and its limit, kernel distance, inception score (Salimans et al. 2016,
arXiv:1606.03498), improved precision and recall, and a check against memorised training images.
One pass through the extractor serves all. Nothing here prints or starts processes.

The images are put in the order of their content first, so the scores are bitwise functions of the
set of images with their labels: their order, the batches they came in and the processes that made
them do not matter.

A broken generator still gets numbers. Images that are all alike have large, finite Frechet and
kernel distances, an inception score of 1, a recall near 0 (their neighbourhoods are points) and a
precision of 0 or 1, for the one image is either among the real ones or not: read precision beside
recall. A quantity without a finite value is None.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from darbench.metrics.extractors.extractor import Layers, extract, extractor
from darbench.metrics.scores.fd_infinity import fd_infinity
from darbench.metrics.scores.fd_ratio import Ratio, fd_ratio, mean_ratio
from darbench.metrics.scores.frechet import frechet_distance, statistics
from darbench.metrics.scores.kernel import kernel_distance
from darbench.metrics.scores.neighbours import nearest_distances, precision_recall
from darbench.metrics.scores.reference import Reference, content_order, pixels_of
from darbench.randomness import stream


def score(
    images: np.ndarray,
    reference: Reference,
    labels: np.ndarray | None = None,
    further: Sequence[Reference] = (),
) -> dict[str, Any]:
    """Columns of a result row for generated uint8 images (N, H, W, C), in whatever order.

    labels: (N,), the classes the images were made for, given if each class has a fixed share of
    the images: the errors and the bias of FD-infinity and of KID depend on it.
    further: the same real images in other features, over which FDr is the mean. ValueError if N is
    below the number of features: a covariance of fewer samples says nothing.
    """
    order = content_order(images, labels)
    images, labels = images[order], None if labels is None else labels[order]
    layers = Layers.of(reference.name, extract(extractor(reference.name), images))
    if pixels_of(images).shape[1] != reference.pixels.shape[1]:
        raise ValueError(f"images {images.shape[1:]} differ in size from the reference's")
    features, real = layers.features, reference.features
    fd_inf, fd_inf_se = fd_infinity(features.numpy(), reference.statistics, labels)
    fdr = fd_ratio(features.numpy(), labels, reference.held_out)
    fdr = mean_ratio([fdr, *(_ratio_in(each, images, labels) for each in further)])
    kid, kid_se = kernel_distance(features.numpy(), real.numpy(), labels, reference.labels)
    precision, recall = precision_recall(features, real, reference.radii)
    measured = {
        "fd": frechet_distance(statistics(features), reference.statistics),
        "fd_inf": fd_inf,
        "fd_inf_se": fd_inf_se,
        "fdr": fdr.value,
        "fdr_se": fdr.error,
        "sfd": _spatial_distance(layers, reference),
        "kid": kid,
        "kid_se": kid_se,
        "inception_score": inception_score(layers.logits),
        "precision": precision,
        "recall": recall,
        "nn_distance_ratio": nn_distance_ratio(images, reference),
    }
    finite = {name: value if math.isfinite(value) else None for name, value in measured.items()}
    return finite | {"n_gen": len(images), "n_ref": len(real), "n_fdr": fdr.images}


def _ratio_in(reference: Reference, images: np.ndarray, labels: np.ndarray | None) -> Ratio:
    """FDr of images in the features of that reference."""
    net = extractor(reference.name)
    features = extract(net, images)[net.layers["fid"]].double().numpy()
    return fd_ratio(features, labels, reference.held_out)


def bootstrapped_distances(images: np.ndarray, reference: Reference, draws: int) -> list[float]:
    """Frechet distances of uint8 images (N, H, W, C) to `draws` resampled references.

    They show how much `fd` owes to the choice of the real images. The k-th resample is always the
    same.
    """
    layers = Layers.of(reference.name, extract(extractor(reference.name), images))
    generated, n = statistics(layers.features), len(reference.features)
    chosen = (stream(0, "reference", draw).integers(n, size=n) for draw in range(draws))
    return [frechet_distance(generated, statistics(reference.features[i])) for i in chosen]


def _spatial_distance(layers: Layers, reference: Reference) -> float:
    """sFD, the Frechet distance in the spatial layer; NaN where one side has no such layer."""
    if layers.spatial is None or reference.spatial is None:
        return math.nan
    return frechet_distance(statistics(layers.spatial), reference.spatial)


def inception_score(logits: Tensor) -> float:
    """exp(mean KL(p(y|x) || p(y))), between 1 and the number of classes.

    Over all samples at once: ten splits, made for 50 000 samples, would bias a small set downwards
    (Barratt and Sharma 2018, arXiv:1801.01973).
    """
    return isc_features_to_metric(logits, splits=1, shuffle=False)["inception_score_mean"]


def nn_distance_ratio(images: np.ndarray, reference: Reference) -> float:
    """Median distance of a sample to its nearest training image, over that of validation images.

    L2 in pixel space. Below 1 the samples hug the training images closer than fresh images do,
    which hints at memorisation; it is 0 when at least half of them are copies. NaN when the
    validation images are copies of training images. A median does not see a few copies among many
    samples, and the distance does not see a copy that was moved by a pixel.
    """
    distance = float(np.median(nearest_distances(pixels_of(images), reference.pixels)))
    return distance / reference.val_distance if reference.val_distance > 0 else math.nan
