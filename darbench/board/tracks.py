"""The two tracks of a point: settings as they were set, and each variant at its own best."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from darbench.board.entry_row import EntryRow
from darbench.board.leaderboard import Leaderboard
from darbench.board.tuning import variant


def with_other_tracks(boards: Sequence[Leaderboard]) -> list[Leaderboard]:
    """Return the leaderboards, each row with the effect that its variant has on the other track.

    A variant that stands there with more than one configuration has none: which would it be?
    """
    return [_with(board, [o for o in boards if _is_other(board, o)]) for board in boards]


def _is_other(board: Leaderboard, other: Leaderboard) -> bool:
    return bool(board.tuned) != bool(other.tuned) and _measured(board) == _measured(other)


def _measured(board: Leaderboard) -> tuple[Any, ...]:
    return board.task, board.protocol_hash, board.budget_flops, board.point, board.rank_by


def _with(board: Leaderboard, others: Sequence[Leaderboard]) -> Leaderboard:
    if len(others) != 1:  # none, or several tracks that tune different settings
        return board
    settings = board.tuned or others[0].tuned
    there = _by_variant(others[0], settings)
    names = {entry.name: variant(entry, settings) for entry in board.entries}
    rows = [_told(row, there.get(names[row.entry], []), board.rank_by) for row in board.rows]
    return replace(board, rows=tuple(rows))


def _by_variant(board: Leaderboard, settings: Sequence[str]) -> Mapping[str, list[EntryRow]]:
    rows, found = {row.entry: row for row in board.rows}, {}
    for entry in board.entries:
        if not entry.stale:
            found.setdefault(variant(entry, settings), []).append(rows[entry.name])
    return found


def _told(row: EntryRow, there: Sequence[EntryRow], metric: str) -> EntryRow:
    if row.stale or len(there) != 1:
        return row
    other = there[0].metrics[metric]
    return replace(row, other_effect=other.effect, other_low=other.low, other_high=other.high)
