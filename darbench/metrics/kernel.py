"""Kernel distance (KID; Binkowski et al. 2018, arXiv:1801.01401) with a standard error.

torch-fidelity's estimate is a mean over random subsets, whose spread is not the error of their
mean. Here the unbiased estimate is taken over all samples at once: it has the same expectation,
less variance, is a function of the two sets alone, and one pass over the three kernel matrices
also gives its error. For equal sets it is torch-fidelity's with one subset of everything.
"""

import math
from dataclasses import dataclass

import numpy as np

from darbench.metrics import blocks
from darbench.rules import KERNEL_DEGREE


def kernel_distance(generated: np.ndarray, real: np.ndarray) -> tuple[float, float]:
    """KID of float64 features (n, d) and (m, d), and its standard error.

    Unbiased MMD^2 with the kernel (x.y / d + 1)^3, so a good generator may come out slightly
    negative. The error covers the sampling of both sets. It is the root of the variance of the
    U-statistic (Hoeffding 1948): a part linear in the samples, whose variance is that of the
    witness mean_j k(x, x_j) - mean_j k(x, y_j) without its noise, and a part quadratic in them,
    the only one left when both sets have the same distribution. The first is not let below zero,
    so there the error comes out up to a fifth too large.
    """
    xx, yy, xy = _own(generated), _own(real), _between(generated, real)
    n, m = len(generated), len(real)
    kid = xx.rows.mean() + yy.rows.mean() - 2 * xy.rows.mean()
    of_x = (xx.rows - xy.rows).var(ddof=1) - xx.spread / n - xy.spread / m
    of_y = (yy.rows - xy.columns).var(ddof=1) - yy.spread / m - xy.spread / n
    linear = 4 * of_x / n + 4 * of_y / m
    quadratic = 2 * xx.spread / n**2 + 2 * yy.spread / m**2 + 4 * xy.spread / (n * m)
    return float(kid), math.sqrt(max(0.0, linear) + quadratic)


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """Of a kernel matrix, without the diagonal where a set meets itself."""

    rows: np.ndarray  # mean of each row
    columns: np.ndarray  # mean of each column
    spread: float  # mean square of k(x, y) - mean_y k - mean_x k + mean k


def _own(x: np.ndarray) -> _Sums:
    n = len(x)
    own = _kernel((x * x).sum(axis=1), x.shape[1])
    sums, _, squares = _sums(x, x)
    rows = (sums - own) / (n - 1)
    pairs = n * (n - 1)
    deviation = ((rows - rows.mean()) ** 2).sum()
    spread = (
        (squares - np.square(own).sum()) - pairs * rows.mean() ** 2 - 2 * n * deviation
    ) / pairs
    return _Sums(rows=rows, columns=rows, spread=max(0.0, spread))


def _between(x: np.ndarray, y: np.ndarray) -> _Sums:
    n, m = len(x), len(y)
    sums, others, squares = _sums(x, y)
    rows, columns, mean = sums / m, others / n, sums.sum() / (n * m)
    deviation = m * ((rows - mean) ** 2).sum() + n * ((columns - mean) ** 2).sum()
    spread = squares / (n * m) - mean**2 - deviation / (n * m)
    return _Sums(rows=rows, columns=columns, spread=max(0.0, spread))


def _sums(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Of k(x_i, y_j): over j, over i, and of all squares."""
    rows, columns, squares = [], np.zeros(len(y)), 0.0
    for start in range(0, len(x), size := blocks.rows(len(y))):
        kernel = _kernel(x[start : start + size] @ y.T, x.shape[1])
        rows.append(kernel.sum(axis=1))
        columns += kernel.sum(axis=0)
        squares += float(np.square(kernel).sum())  # not BLAS, whose dot depends on its threads
    return np.concatenate(rows), columns, squares


def _kernel(products: np.ndarray, d: int) -> np.ndarray:
    base = products / d
    base += 1
    kernel = base.copy()
    for _ in range(KERNEL_DEGREE - 1):
        kernel *= base
    return kernel
