"""Screening of grounds: on which of many a few seeds already show that a variant differs.

What it chooses is measured again on fresh seeds, so a wrong choice costs trials and biases no
result; a ground that it passes over is only not known yet.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from scipy import optimize, special, stats

from darbench.analysis.deviation import PAIRED, Deviation, pooled
from darbench.analysis.effects import SIGNIFICANT, hochberg

Draws = Mapping[int, float]  # log ratios to `add` by pair id
_ROUNDING = 1e-12  # log ratios below this come from floating point
_EVEN = 1e6  # degrees of freedom that are as good as infinitely many


def resolved(grounds: Sequence[Sequence[Draws]]) -> list[bool]:
    """Return for each ground whether one of its variants differs from its `add`.

    grounds: the draws of every variant of every ground. A t interval of two seeds has one degree
    of freedom and would miss effects of five standard deviations. So the deviation within pairs
    is pooled over the variants of a ground, which share their `add` (`deviation.pooled`), and
    moderated over grounds (`moderated`); and the p values of a ground are corrected by Hochberg's
    method, so that of the grounds on which nothing differs about 5 % are chosen at most, however
    many variants stand there. Draws of fewer than two seeds tell nothing.
    """
    kept = [[own for own in variants if len(own) >= 2] for variants in grounds]
    found = iter(moderated([pooled(own, PAIRED) for own in kept if own]))
    return [bool(own) and _differs(own, next(found)) for own in kept]


def moderated(deviations: Sequence[Deviation]) -> list[Deviation]:
    """Return each deviation drawn towards that of all, as far as their spread lets them be alike.

    The variances are taken as scaled inverse chi-squared over grounds, whose freedom and scale are
    fitted by the moments of their logs: empirical Bayes (Smyth, Statistical Applications in
    Genetics and Molecular Biology 3, 2004, section 6.2). One alone stays as it is.
    """
    if len(deviations) < 2:
        return [*deviations]
    freedom = np.array([each.freedom for each in deviations])
    variances = np.array([max(each.value, _ROUNDING) ** 2 for each in deviations])
    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    spread = logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean()
    prior = _freedom(spread)
    scale = math.exp(logs.mean() + special.digamma(prior / 2) - math.log(prior / 2))
    drawn = (prior * scale + freedom * variances) / (prior + freedom)
    total = np.minimum(prior + freedom, freedom.sum())
    pairs = zip(np.sqrt(drawn).tolist(), total.tolist(), strict=True)
    return [Deviation(value=value, freedom=own) for value, own in pairs]


def _freedom(spread: float) -> float:
    """The degrees of freedom whose log chi-squared varies that much; very many for none."""

    def excess(log: float) -> float:
        return special.polygamma(1, math.exp(log) / 2) - spread

    low, high = math.log(1e-2), math.log(_EVEN)
    if excess(high) > 0 or spread <= 0:
        return _EVEN
    return math.exp(optimize.brentq(excess, low, high)) if excess(low) > 0 else math.exp(low)


def _differs(variants: Sequence[Draws], deviation: Deviation) -> bool:
    p_values = [_p_value([*own.values()], deviation) for own in variants]
    return min(chain(hochberg(p_values), [1.0])) < SIGNIFICANT


def _p_value(draws: Sequence[float], deviation: Deviation) -> float:
    """The two-sided p value of mean 0 by a t test with that deviation."""
    error = max(deviation.value, _ROUNDING) / math.sqrt(len(draws))
    return float(2 * stats.t.sf(abs(np.mean(draws)) / error, deviation.freedom))
