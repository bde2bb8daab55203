"""How well cheap numbers foretell the order of entries: Kendall's rank correlation with scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from darbench.analysis.effects import LEVEL
from darbench.analysis.outcomes import Entry
from darbench.records.schema import DIAGNOSIS, EARLY

# Those that need no diagnosis come first: a proxy is worth what it tells beyond them.
TRIVIAL = ("params_total", "params_routing", "flops_routing_share", f"grad_norm{EARLY}")
PROXIES = (*TRIVIAL, *(f"{name}{EARLY}" for name in DIAGNOSIS))
SPREAD = 0.437  # of artanh tau, times n - 4 (Fieller, Hartley and Pearson, 1957)
FEWEST = 5  # entries of which that spread is known


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Kendall's tau-b of a proxy and the score, in which less is better.

    Negative where entries with more of the proxy reach a lower loss. None where it is the same for
    all entries; the interval is over entries, and there is none of fewer than FEWEST.
    """

    proxy: str  # a column of the rows
    n: int  # entries that have it
    tau: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def constant(self) -> bool:
        return self.n > 1 and self.tau is None


def correlations(scored: Sequence[tuple[Entry, float]]) -> list[Correlation]:
    """Return what each of PROXIES that two entries or more have says of their scores."""
    made = (_correlation(proxy, scored) for proxy in PROXIES)
    return [each for each in made if each.n > 1]


def _correlation(proxy: str, scored: Sequence[tuple[Entry, float]]) -> Correlation:
    pairs = [(value, score) for e, score in scored if (value := e.average(proxy)) is not None]
    n = len(pairs)
    if n < 2 or len({value for value, _ in pairs}) < 2:
        return Correlation(proxy=proxy, n=n)
    tau = float(stats.kendalltau(*zip(*pairs, strict=True)).statistic)
    low, high = interval(tau, n)
    return Correlation(proxy=proxy, n=n, tau=tau, low=low, high=high)


def interval(tau: float, n: int) -> tuple[float | None, float | None]:
    """Return the interval of a tau of n entries, by Fisher's transformation; None of too few.

    A tau of 1 or -1 has none that is shorter than the whole range: as one more pair in disorder.
    """
    if n < FEWEST:
        return None, None
    most = 1 - 2 / math.comb(n, 2)
    z = math.atanh(min(max(tau, -most), most))
    half = stats.norm.ppf((1 + LEVEL) / 2) * math.sqrt(SPREAD / (n - 4))
    low, high = math.tanh(z - half), math.tanh(z + half)
    return min(low, tau), max(high, tau)
