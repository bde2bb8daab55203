"""How a search went: its configurations in the order in which they ended, and the best so far."""

import math
from dataclasses import dataclass
from statistics import fmean

from darbench.analysis.outcomes import Entry, Outcome
from darbench.board.leaderboard import Leaderboard


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A configuration of a search; costs are of all trials of the search until its last one."""

    entry: str
    value: (
        float | None
    )  # mean of the metric that ranks over the search's seeds; None if one failed
    trials: int
    flops: float
    best: float | None  # least value so far
    confirmed: float | None  # what the fresh seeds gave, of those that ran on them


def trajectory(board: Leaderboard) -> list[Tried]:
    """The configurations of a leaderboard's search; none where nothing was searched.

    A coarse look at a grid is no search: it tries what there is, and confirms all or nothing.
    """
    entries = [e for e in board.entries if e.of("search") and not e.stale]
    if board.tuned or board.left or all(e.split != "search" for e in entries):
        return []
    found, trials, flops, best = [], 0, 0.0, math.inf
    for entry in sorted(entries, key=lambda e: (_ended(e), e.name)):
        outcomes = entry.of("search")
        value = _mean(entry, board.rank_by)
        trials += len(outcomes)
        flops += sum(_flops(o) for o in outcomes)
        if value is not None and entry.control is None:
            best = min(best, value)
        found.append(
            Tried(
                entry=entry.name,
                value=value,
                trials=trials,
                flops=flops,
                best=best if math.isfinite(best) else None,
                confirmed=None if entry.split == "search" else entry.mean(board.rank_by),
            )
        )
    return found


def _ended(entry: Entry) -> str:
    return max(o.last["created_utc"] or "" for o in entry.of("search"))


def _flops(outcome: Outcome) -> float:
    """What a trial had cost by its last measurement: a row that says why it ended holds none."""
    return outcome.curve[-1]["train_flops"] if outcome.curve else 0.0


def _mean(entry: Entry, metric: str) -> float | None:
    values = [o.values.get(metric) for o in entry.of("search")]
    return None if None in values else fmean(values)
