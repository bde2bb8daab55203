"""Samples whose labels were set, not drawn: every label has its share of them.

Given its label a sample is as independent of the others as any, but a set of samples scatters less
than one with drawn labels does, by what lies between the labels.
"""

import numpy as np


def strata_of(labels: np.ndarray | None, n: int) -> np.ndarray:
    """The stratum of each of n samples, (n,), numbered from 0; all in one if labels were drawn."""
    return np.zeros(n, int) if labels is None else np.unique(labels, return_inverse=True)[1]


def variance_within(strata: np.ndarray, values: np.ndarray) -> float:
    """Of values (n,) about the means of their strata, pooled, unbiased."""
    sizes = np.bincount(strata)
    means = np.bincount(strata, weights=values) / sizes
    return float(((values - means[strata]) ** 2).sum() / max(1, len(values) - len(sizes)))
