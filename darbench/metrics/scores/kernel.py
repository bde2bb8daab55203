"""Kernel distance (KID; Binkowski et al. 2018, arXiv:1801.01401) with a standard error.

torch-fidelity's estimate is a mean over random subsets, whose spread is not the error of their
mean. Here the unbiased estimate is taken over all samples at once: it has the same expectation,
less variance, is a function of the two sets alone, and one pass over the three kernel matrices
also gives its error. For equal sets it is torch-fidelity's with one subset of everything.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from darbench.metrics.scores.neighbours import block_rows
from darbench.metrics.scores.strata import by_stratum, sums_within, variance_within
from darbench.records.rules import KERNEL_DEGREE
from darbench.records.rules import KERNEL_LEAST as LEAST


def kernel_distance(
    generated: np.ndarray,
    real: np.ndarray,
    labels: np.ndarray | None = None,
    real_labels: np.ndarray | None = None,
) -> tuple[float, float]:
    """KID of float64 features (n, d) and (m, d), and its standard error.

    labels (n,), real_labels (m,): given for a set in which every label has a fixed share of the
    samples. Both numbers are NaN where such a label has fewer than LEAST samples.

    Unbiased MMD^2 with the kernel (x.y / d + 1)^3, so a good generator may come out slightly
    negative. Where shares are set, two samples have the same label more rarely than if labels were
    drawn, so the mean kernel within and between labels is taken by itself and weighted by the
    shares. The plain mean over all pairs would be too low, by a standard error for each set of
    1437 digits of ten labels, more for more labels.

    The error covers the sampling of both sets. It is the root of the variance of the U-statistic
    (Hoeffding 1948): a part linear in the samples, whose variance is that of the witness
    mean_j k(x, x_j) - mean_j k(x, y_j) without its noise, and a part quadratic in them, the only
    one left when both sets have the same distribution; both within labels where shares are set.
    The first is not let below zero, so for equal distributions the error comes out up to a
    fifth too large.
    """
    x, a = by_stratum(generated, labels)
    y, b = by_stratum(real, real_labels)
    if min(np.bincount(a).min(), np.bincount(b).min()) < LEAST:
        return math.nan, math.nan
    xx, yy, xy = _own(x, a), _own(y, b), _between(x, y, a, b)
    n, m = len(x), len(y)
    kid = xx.rows.mean() + yy.rows.mean() - 2 * xy.rows.mean()
    of_x = variance_within(a, xx.rows - xy.rows) - xx.spread / n - xy.spread / m
    of_y = variance_within(b, yy.rows - xy.columns) - yy.spread / m - xy.spread / n
    linear = 4 * of_x / n + 4 * of_y / m
    quadratic = 2 * xx.spread / n**2 + 2 * yy.spread / m**2 + 4 * xy.spread / (n * m)
    return float(kid), math.sqrt(max(0.0, linear) + quadratic)


@dataclass(frozen=True, kw_only=True)
class _Means:
    """Means of a kernel matrix over independent pairs whose labels are drawn by their shares."""

    rows: np.ndarray  # mean of each row
    columns: np.ndarray  # mean of each column
    spread: float  # mean square of k(x, y) - mean_y k - mean_x k + mean k, given the labels


def _own(x: np.ndarray, strata: np.ndarray) -> _Means:
    """Means over pairs of one set, without the diagonal, where a sample meets itself."""
    sizes = np.bincount(strata)
    sums = np.empty((len(x), len(sizes)))
    squares = np.zeros((len(sizes), len(sizes)))
    for rows, kernel in _blocks(x, x):
        kernel[np.arange(len(kernel)), np.arange(rows.start, rows.stop)] = 0
        sums[rows] = sums_within(strata, kernel, axis=1)
        _add(squares, strata[rows], sums_within(strata, np.square(kernel), axis=1))
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    means, mean, about = _by_size(sums, strata, pairs / sizes[:, None])
    rest = squares - pairs * mean**2 - sizes * about - (sizes * about).T
    free = np.outer(sizes - 1, sizes - 1)
    # A stratum with itself is a symmetric matrix without its diagonal, whose rows share every
    # value with a column.
    same, n = np.diag_indices(len(sizes)), sizes
    rest[same] = (squares - pairs * mean**2)[same] - 2 * (n - 1) ** 2 / (n - 2) * about[same]
    free[same] = n * (n - 3)
    rows = _weighted(means, sizes)
    return _Means(rows=rows, columns=rows, spread=_spread(rest / free, sizes, sizes))


def _between(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> _Means:
    """Means over pairs of a sample of one set and a sample of the other."""
    of_x, of_y = np.bincount(a), np.bincount(b)
    sums, others = np.empty((len(x), len(of_y))), np.zeros((len(of_x), len(y)))
    squares = np.zeros((len(of_x), len(of_y)))
    for rows, kernel in _blocks(x, y):
        sums[rows] = sums_within(b, kernel, axis=1)
        _add(others, a[rows], kernel)
        _add(squares, a[rows], sums_within(b, np.square(kernel), axis=1))
    pairs = np.outer(of_x, of_y)
    rows, mean, about_x = _by_size(sums, a, pairs / of_x[:, None])
    columns, _, about_y = _by_size(others.T.copy(), b, pairs.T / of_y[:, None])
    rest = squares - pairs * mean**2 - of_y * about_x - (of_x * about_y).T
    free = np.outer(of_x - 1, of_y - 1)
    return _Means(
        rows=_weighted(rows, of_y),
        columns=_weighted(columns, of_x),
        spread=_spread(rest / free, of_x, of_y),
    )


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of the kernel matrix (n, m), each with the slice of its rows."""
    for start in range(0, len(x), size := block_rows(len(y))):
        part = x[start : start + size]
        yield slice(start, start + len(part)), _kernel(part @ y.T, x.shape[1])


def _add(total: np.ndarray, strata: np.ndarray, values: np.ndarray) -> None:
    """Add to each stratum's row of `total` its rows of `values`, in place."""
    total[np.unique(strata)] += sums_within(strata, values, axis=0)


def _by_size(
    sums: np.ndarray, strata: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn sums (n, K') over the strata of the other set into means, in place; returns them, their
    mean over each own stratum (K, K'), and the sum of squares about that mean (K, K').

    counts: (K, K'), how many values a sum is over.
    """
    for stratum, count in enumerate(counts):
        sums[strata == stratum] /= count
    mean = sums_within(strata, sums, axis=0) / np.bincount(strata)[:, None]
    about = np.stack([((sums[strata == c] - mean[c]) ** 2).sum(axis=0) for c in range(len(mean))])
    return sums, mean, about


def _weighted(means: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Means (n,) of the rows of means (n, K), each stratum weighted by its share."""
    return (means * (sizes / sizes.sum())).sum(axis=1)


def _spread(variances: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> float:
    """Mean of the variances (K, K') between strata, by the shares of both sets; none below 0."""
    shares = np.outer(of_x / of_x.sum(), of_y / of_y.sum())
    return float((shares * variances.clip(min=0)).sum())


def _kernel(products: np.ndarray, d: int) -> np.ndarray:
    """(x.y / d + 1)^3 of the products x.y, by repeated multiplication in their place."""
    products /= d
    products += 1
    kernel, base = products, products.copy()
    for _ in range(KERNEL_DEGREE - 1):
        kernel *= base
    return kernel
