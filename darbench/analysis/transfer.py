"""How the order of routings on one board goes over to another: Kendall's rank correlation."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from darbench.analysis.proxies import interval

SHARED = 4  # entries that two boards must share


@dataclass(frozen=True)
class Transfer:
    """Kendall's tau-b of the scores of n shared entries; its interval is over entries.

    There is no interval of fewer than five (`proxies.FEWEST`).
    """

    n: int
    tau: float
    low: float | None
    high: float | None


def transfer(one: Mapping[str, float], other: Mapping[str, float]) -> Transfer | None:
    """Compare scores by entry; None of fewer than SHARED entries, or where all scores tie."""
    shared = sorted(one.keys() & other.keys())
    scores = [[board[entry] for entry in shared] for board in (one, other)]
    if len(shared) < SHARED or any(len({*each}) < 2 for each in scores):
        return None
    tau = float(stats.kendalltau(*scores).statistic)
    return Transfer(len(shared), tau, *interval(tau, len(shared)))
