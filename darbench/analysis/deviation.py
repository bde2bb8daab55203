"""A standard deviation that was measured, and how far it may be off.

For independent normal draws, freedom * s^2 / sigma^2 is chi-squared; where samples share a part of
their noise, freedom is that of Satterthwaite's approximation (Biometrics Bulletin, 1946).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from darbench.analysis.effects import LEVEL

SAFE = 0.8  # the chance with which the true deviation lies below the one that is planned on
PAIRED = 0.5  # correlation of two differences to the same trial, of equal noise


@dataclass(frozen=True, kw_only=True)
class Deviation:
    value: float
    freedom: float

    @property
    def upper(self) -> float:
        """The bound below which the true deviation lies with a chance of SAFE."""
        return self._at(1 - SAFE)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval that holds the true deviation with a chance of LEVEL."""
        return self._at((1 + LEVEL) / 2), self._at((1 - LEVEL) / 2)

    def _at(self, quantile: float) -> float:
        return float(self.value * np.sqrt(self.freedom / stats.chi2.ppf(quantile, self.freedom)))


def pooled(samples: Sequence[Mapping[int, float]], correlation: float) -> Deviation | None:
    """Return the deviation of draws by pair id, pooled over samples with means of their own.

    Draws of one pair id in two samples correlate that much. None without two draws in any sample.
    """
    samples = [own for own in samples if len(own) >= 2]
    if not samples:
        return None
    squares = sum(len(own) * np.var([*own.values()]) for own in samples)
    count = sum(len(own) - 1 for own in samples)
    freedom = shared_freedom([own.keys() for own in samples], correlation)
    return Deviation(value=float(np.sqrt(squares / count)), freedom=freedom)


def shared_freedom(samples: Sequence[Set[int]], correlation: float) -> float:
    """Return the degrees of freedom of samples of these pair ids that are pooled."""
    overlap = sum(
        (1.0 if i == j else correlation**2) * max(0, len(one & two) - 1)
        for (i, one), (j, two) in product(enumerate(samples), repeat=2)
    )
    return sum(len(own) - 1 for own in samples) ** 2 / overlap
