"""FDr: how many times as far from the training images samples are as held-out images are.

    FDr = FD(samples, training images) / FD(held-out images, training images)

in the form of Yang et al. 2026 (arXiv:2604.28190), who average it over several feature spaces. It
has no unit and a meaning by itself: fresh images of the data's own distribution have 1.

FD of few images reads too high, by a term in 1/n that depends on their labels too, so both
distances are taken at equally many images of every label: of each label as many as both sets have.
The larger set gives several such subsets, disjoint, and their mean counts. There is no value
unless a subset has more images than there are features.

Fresh images have 1, copies of training images less. A subset of m of the N training images shares
them with the reference, so that its moments differ from the reference's by a variance of
1/m - 1/N, where those of fresh images differ by 1/m + 1/N: its FDr is (N - m) / (N + m), 0.6 for
the digits. Whoever takes the training set for its own generator must draw images that the
reference does not hold.

The standard error covers samples and held-out images, by the influence function, as that of
FD-infinity: it overstates the error of two equal distributions. All trials of a task share the
held-out images, so the ratio of two trials' values is less uncertain than either.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from darbench.metrics.scores.fd_infinity import distance, influence, square_root
from darbench.metrics.scores.frechet import Statistics
from darbench.metrics.scores.missing import has_fdr
from darbench.metrics.scores.strata import strata_of, variance_within
from darbench.randomness import stream


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Held-out images in the features of an extractor, and the training images' moments there."""

    features: np.ndarray  # float64 (n, d)
    labels: np.ndarray | None  # (n,), numbers from 0; None where they are not known
    real: Statistics


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """FDr with its standard error; NaN where there is none."""

    value: float
    error: float
    images: int  # how many each of its distances is of


def fd_ratio(features: np.ndarray, labels: np.ndarray | None, held_out: HeldOut) -> Ratio:
    """FDr of samples: features float64 (n, d), labels (n,) as those of the held-out images."""
    counts = _common(labels, held_out.labels, len(features), len(held_out.features))
    images = sum(counts)
    if not has_fdr(images, features.shape[1]):
        return Ratio(value=math.nan, error=math.nan, images=images)
    own, own_error = _distance_of(features, labels, counts, held_out.real)
    fresh, fresh_error = _fresh(held_out, counts)
    if fresh == 0:  # they are the training images
        return Ratio(value=math.nan, error=math.nan, images=images)
    error = math.hypot(own_error, own / fresh * fresh_error) / fresh
    return Ratio(value=own / fresh, error=error, images=images)


def mean_ratio(ratios: Sequence[Ratio]) -> Ratio:
    """The mean FDr over feature spaces. Its error is the mean of theirs, as if all erred together,
    for the images are the same."""
    value, error = (np.mean([getattr(r, f) for r in ratios]) for f in ("value", "error"))
    return Ratio(value=float(value), error=float(error), images=min(r.images for r in ratios))


def _common(
    one: np.ndarray | None, two: np.ndarray | None, n_one: int, n_two: int
) -> tuple[int, ...]:
    """How many images of each label both sets have; of one label where either's are unknown."""
    if one is None or two is None:
        return (min(n_one, n_two),)
    least = 1 + max(one.max(), two.max())
    counts = np.minimum(*(np.bincount(x, minlength=least) for x in (one, two)))
    return tuple(counts.tolist())


@lru_cache(maxsize=8)  # trials of one protocol ask for the same counts
def _fresh(held_out: HeldOut, counts: tuple[int, ...]) -> tuple[float, float]:
    return _distance_of(held_out.features, held_out.labels, counts, held_out.real)


def _distance_of(
    features: np.ndarray, labels: np.ndarray | None, counts: tuple[int, ...], real: Statistics
) -> tuple[float, float]:
    """Mean FD of subsets with these counts of labels, and its standard error."""
    strata = np.zeros(len(features), int) if labels is None or len(counts) == 1 else labels
    subsets, root = list(_subsets(strata, counts)), square_root(real["sigma"])
    value = np.mean([distance(features[subset], real, root) for subset in subsets])
    used = np.concatenate(subsets)
    own = strata_of(strata[used], len(used))
    variance = variance_within(own, influence(features[used], real)) / len(used)
    return float(value), math.sqrt(variance)


def _subsets(labels: np.ndarray, counts: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the indices of disjoint random subsets, each with these counts of labels 0, 1, ..."""
    order = stream(0, "fd-ratio").permutation(len(labels))
    own = [order[labels[order] == label] for label in range(len(counts))]
    times = min(len(x) // count for x, count in zip(own, counts, strict=True) if count)
    for k in range(times):
        parts = zip(own, counts, strict=True)
        yield np.concatenate([x[k * count : (k + 1) * count] for x, count in parts])
