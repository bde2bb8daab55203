"""Paired effects on the log scale, values at matched compute, and Holm's correction.

A variant is compared with `add` seed by seed: both see the same data order, noise and times, so
the log ratio d = log metric_variant - log metric_add of one pair id is one draw. The score is
exp(mean d) - 1, as a fraction; its interval is the paired t interval of d, taken to the same
scale. A percentile bootstrap over so few seeds covers far less than it says; the t interval does
not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
SIGNIFICANT = 0.05  # the p value below which a difference counts as one
_ROUNDING = 1e-12  # log differences below this come from floating point, not from the variant


@dataclass(frozen=True)
class Effect:
    """A relative change: -0.02 is 2 % lower. One seed has no interval and no p value."""

    mean: float
    low: float | None
    high: float | None
    n: int
    p_value: float | None

    @property
    def separated(self) -> bool:
        """The interval exists and does not contain 0."""
        return self.low is not None and not self.low <= 0 <= self.high


def t_interval(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half width of the t interval over the last axis, which holds at least two draws."""
    n = draws.shape[-1]
    error = draws.std(axis=-1, ddof=1) / math.sqrt(n)
    return draws.mean(axis=-1), stats.t.ppf((1 + level) / 2, n - 1) * error


def paired_effect(log_differences: Sequence[float]) -> Effect | None:
    """The score of one variant from its log ratios, one per pair id; None without any."""
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
    """Two-sided, of mean 0. Draws that are all the same would divide by zero in the t test."""
    if np.ptp(d) < _ROUNDING:
        return 1.0 if d[0] == 0 else 0.0
    return float(stats.ttest_1samp(d, 0.0).pvalue)


def interpolate_log(
    flops: Sequence[float | None], values: Sequence[float | None], at: float
) -> float | None:
    """The value at `at` FLOPs: log value, linear in log FLOPs between the neighbouring points.

    None outside the measured range: a curve is never extrapolated. Points that are missing or
    have no logarithm are left out. An end is hit when it is equal up to rounding.
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


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment (Holm, 1979); missing p values stay missing and do not count."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[i] = largest
    return adjusted
