"""The noise of a metric: where it comes from, and how much two trials of a pair id share.

All standard deviations are of the log of the metric, so 0.01 is one percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Components:
    """The deviations of balanced random effects (Searle et al., Variance Components, 1992)."""

    trials: float  # standard deviation from trial to trial
    redraws: float  # standard deviation from redraw to redraw of one trial


def nested(draws: np.ndarray) -> Components:
    """Return the components of draws (..., trials, redraws), each trial with its own redraws.

    They are pooled over the leading axes. The variance between trials is that of their means less
    the part that redraws explain; where noise makes it negative it is 0. ValueError for fewer
    than two trials or redraws.
    """
    *_, k = _two_by_two(draws)
    within = draws.var(axis=-1, ddof=1).mean()
    between = draws.mean(axis=-1).var(axis=-1, ddof=1).mean() - within / k
    return Components(trials=_root(between), redraws=_root(within))


def crossed(draws: np.ndarray) -> Components:
    """Return the components, as `nested` does, of draws in which all trials share their redraws.

    What a redraw adds to all trials alike counts as `redraws`, not as `trials`.
    """
    between, common, mixed = _two_ways(draws)
    return Components(trials=_root(between), redraws=_root(max(0.0, common) + mixed))


def common(draws: np.ndarray) -> float:
    """Return the deviation of what a redraw adds to all trials alike, which no mean reduces.

    Draws are as for `crossed`, without what a redraw adds to each trial by itself.
    """
    return _root(_two_ways(draws)[1])


def _two_ways(draws: np.ndarray) -> tuple[float, float, float]:
    """The variances between trials, of what they share of a redraw, and of what is left."""
    n, k = _two_by_two(draws)
    by_trial, by_redraw = draws.mean(axis=-1), draws.mean(axis=-2)
    mean = draws.mean(axis=(-2, -1), keepdims=True)
    rest = draws - by_trial[..., None] - by_redraw[..., None, :] + mean
    mixed = (rest**2).sum((-2, -1)).mean() / ((n - 1) * (k - 1))
    between = by_trial.var(axis=-1, ddof=1).mean() - mixed / k
    shared = by_redraw.var(axis=-1, ddof=1).mean() - mixed / n
    return between, shared, mixed


def _two_by_two(draws: np.ndarray) -> tuple[int, int]:
    n, k = draws.shape[-2:]
    if n < 2 or k < 2:
        raise ValueError(f"a variance has two trials of two redraws at least, not {n} of {k}")
    return n, k


def _root(variance: float) -> float:
    return float(np.sqrt(max(0.0, variance)))


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """How much less a difference varies because both trials share all random streams."""

    seed: float  # standard deviation of one trial over pair ids
    pair: float  # standard deviation of the difference between two trials of one pair id
    correlation: float  # between two trials of one pair id


def pairing(base: Sequence[float], others: np.ndarray) -> Pairing:
    """Return the pairing of log metrics of `add` (pair ids,) and others (variants, pair ids).

    It is pooled over variants, and pair^2 = 2 seed^2 (1 - correlation). ValueError for fewer than
    two pair ids.
    """
    base, others = np.asarray(base, float), np.asarray(others, float)
    if base.size < 2 or others.shape != (len(others), base.size):
        raise ValueError(f"pairing needs two pair ids that all have, got {others.shape}")
    variance = (base.var(ddof=1) + others.var(axis=1, ddof=1).mean()) / 2
    pair = (others - base).var(axis=1, ddof=1).mean()
    return Pairing(
        seed=float(np.sqrt(variance)),
        pair=float(np.sqrt(pair)),
        correlation=float(1 - pair / (2 * variance)) if variance > 0 else 1.0,
    )
