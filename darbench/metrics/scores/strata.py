"""Samples whose labels were set, not drawn, so that every label has a fixed share of them.

The samples of one label form a stratum. Given its label a sample is as independent of the others
as any, but a set of samples scatters less than one with drawn labels does: the differences between
the labels no longer add to it.
"""

import numpy as np


def strata_of(labels: np.ndarray | None, n: int) -> np.ndarray:
    """The stratum of each of n samples, (n,), numbered from 0; all in one if labels were drawn."""
    return np.zeros(n, int) if labels is None else np.unique(labels, return_inverse=True)[1]


def by_stratum(x: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Samples x (n, d) sorted by their stratum, and the stratum of each, (n,)."""
    strata = strata_of(labels, len(x))
    order = np.argsort(strata, kind="stable")
    return x[order], strata[order]


def sums_within(strata: np.ndarray, values: np.ndarray, axis: int) -> np.ndarray:
    """Sums of values over each stratum; the strata are sorted along the axis.

    They are not taken by BLAS, whose sums depend on the number of its threads.
    """
    return np.add.reduceat(values, np.unique(strata, return_index=True)[1], axis=axis)


def variance_within(strata: np.ndarray, values: np.ndarray) -> float:
    """The pooled unbiased variance of values (n,) about the means of their strata."""
    sizes = np.bincount(strata)
    means = np.bincount(strata, weights=values) / sizes
    return float(((values - means[strata]) ** 2).sum() / max(1, len(values) - len(sizes)))


def shuffled(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices (n,) in a random order over which each stratum is spread evenly, so that any stretch
    of it holds its share of every stratum."""
    order = rng.permutation(len(strata))
    position = np.empty(len(strata))
    for stratum in range(strata.max() + 1):
        own = order[strata[order] == stratum]
        position[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((strata, position))
