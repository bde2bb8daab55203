"""Paired effects on the log scale, values at matched compute, and Hochberg's correction.

A variant is compared with `add` seed by seed: both see the same data order, noise and times, so
the log ratio d = log metric_variant - log metric_add of one pair id is one draw. The score is
exp(mean d) - 1, as a fraction; its interval is the paired t interval of d, taken to the same
scale. A percentile bootstrap over so few seeds covers far less than it says; the t interval does
not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

LEVEL = 0.95
SIGNIFICANT = 0.05  # the p value below which a difference counts as one
_ROUNDING = 1e-12  # log differences below this come from floating point, not from the variant


@dataclass(frozen=True)
class Effect:
    """A relative change: -0.02 is 2 % lower. Of one seed there is no interval and no p value."""

    mean: float
    low: float | None
    high: float | None
    n: int
    p_value: float | None

    @property
    def separated(self) -> bool:
        """Whether the interval exists and does not contain 0."""
        return self.low is not None and not self.low <= 0 <= self.high

    @property
    def chance(self) -> float | None:
        """The chance that a further seed comes out below the baseline; None without a p value.

        After n normal draws with mean m and deviation s a further one is m + s sqrt(1 + 1/n) t, t
        of n - 1 degrees of freedom (Gelman et al., Bayesian Data Analysis, 3rd ed., 3.2). As the
        t statistic is m sqrt(n) / s, its p value tells all of it.
        """
        if self.p_value is None:
            return None
        t = math.copysign(stats.t.isf(self.p_value / 2, self.n - 1), self.mean)
        return float(stats.t.sf(t / math.sqrt(self.n + 1), self.n - 1))

    @property
    def bare(self) -> "Effect":
        """The change alone, for draws that are no sample: those that outlived a failure."""
        return replace(self, low=None, high=None, p_value=None)


def t_interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and half width of the t interval over the last axis, of two draws or more."""
    n = draws.shape[-1]
    error = draws.std(axis=-1, ddof=1) / math.sqrt(n)
    return draws.mean(axis=-1), stats.t.ppf((1 + level) / 2, n - 1) * error


def paired_effect(log_differences: Sequence[float]) -> Effect | None:
    """Return the score of a variant from its log ratios, one per pair id; None without any."""
    d = np.asarray(log_differences, dtype=np.float64)
    if not np.isfinite(d).all():
        raise ValueError(f"log differences must be finite, got {list(log_differences)}")
    if d.size == 0:
        return None
    d = np.where(np.abs(d) < _ROUNDING, 0.0, d)
    if d.size == 1:
        return Effect(math.expm1(d[0]), None, None, 1, None)
    mean, half = t_interval(d)
    return Effect(
        mean=math.expm1(mean),
        low=math.expm1(mean - half),
        high=math.expm1(mean + half),
        n=d.size,
        p_value=_p_value(d),
    )


def _p_value(d: np.ndarray) -> float:
    """The two-sided p value of mean 0; the t test would divide by zero for equal draws."""
    if np.ptp(d) < _ROUNDING:
        return 1.0 if d[0] == 0 else 0.0
    return float(stats.ttest_1samp(d, 0.0).pvalue)


def interpolate_log(
    flops: Sequence[float | None], values: Sequence[float | None], at: float
) -> float | None:
    """Return the value at `at` FLOPs: its log is linear in log FLOPs between two points.

    None outside the measured range, for a curve is never extrapolated; an end counts as inside
    up to rounding. Points that are missing or have no logarithm are left out.
    """
    points = sorted(
        (math.log(x), math.log(y))
        for x, y in zip(flops, values, strict=True)
        if x is not None and y is not None and x > 0 and y > 0
    )
    if not points or at <= 0:
        return None
    x, y = np.array(points).T
    target = math.log(at)
    if not x[0] - 1e-9 <= target <= x[-1] + 1e-9:
        return None
    return math.exp(np.interp(target, x, y))


def hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values by Hochberg's step-up method (Hochberg, 1988); missing ones do not count.

    It holds the family-wise rate where the statistics depend positively on each other, as those of
    variants do that share the `add` they are compared with, and rejects all that Holm's rejects.
    """
    ordered = sorted(((p, i) for i, p in enumerate(p_values) if p is not None), reverse=True)
    adjusted: list[float | None] = [None] * len(p_values)
    smallest = 1.0
    for larger, (p, i) in enumerate(ordered):
        smallest = min(smallest, (larger + 1) * p)
        adjusted[i] = smallest
    return adjusted
