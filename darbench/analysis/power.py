"""The number of seeds that an effect needs: the power of t tests on log ratios.

See Cohen, 1988, ch. 2.

Effects are relative changes of a metric, as fractions; noise is a standard deviation of its log.
"""

import math

import numpy as np
from scipy import optimize, stats

from darbench.analysis.effects import LEVEL

POWER = 0.8  # the chance to separate an effect that is there
MOST = 1000  # seeds; an effect that needs more is too small for a benchmark
FAR = 1e6  # standard deviations; every effect of interest is smaller
_QUANTILES = (np.arange(2000) + 0.5) / 2000


def power(
    shift: float, deviation: float, n: int, *, paired: bool = True, level: float = LEVEL
) -> float:
    """Return the chance that a two-sided test separates a shift of the mean log ratio.

    If paired, `deviation` is that of the n paired differences, otherwise that of single trials, of
    which each side has n. One seed separates nothing. level: of confidence, so that 0.95 tests at
    5 %.
    """
    if n < 2:
        return 0.0
    if deviation == 0:
        return float(shift != 0)
    freedom = n - 1 if paired else 2 * n - 2
    error = deviation * math.sqrt((1 if paired else 2) / n)
    # Given the estimated deviation, t is normal; SciPy's noncentral t and F overflow far out.
    estimated = stats.chi.ppf(_QUANTILES, freedom) / math.sqrt(freedom)
    critical = stats.t.ppf((1 + level) / 2, freedom) * estimated
    separated = stats.norm.sf(critical - shift / error) + stats.norm.cdf(-critical - shift / error)
    return float(separated.mean())


def smallest_effect(
    deviation: float, n: int, *, paired: bool = True, level: float = LEVEL
) -> float:
    """Return the relative change that n seeds separate with a chance of POWER.

    The other arguments are as for `power`.
    ValueError for fewer than two seeds.
    """
    if n < 2:
        raise ValueError(f"n={n}: one seed separates nothing")
    shifts = optimize.brentq(
        lambda s: power(s, 1.0, n, paired=paired, level=level) - POWER, 0, FAR
    )
    return math.expm1(shifts * deviation)


def seeds_needed(
    effect: float, deviation: float, *, paired: bool = True, level: float = LEVEL
) -> int | None:
    """Return the fewest seeds that separate a relative change of that size; None above MOST.

    Keywords are as for `power`.
    """
    shift = math.log1p(effect)
    low, high = 1, MOST + 1  # power grows with n: bisect
    while high - low > 1:
        middle = (low + high) // 2
        enough = power(shift, deviation, middle, paired=paired, level=level) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high if high <= MOST else None
