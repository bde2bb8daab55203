"""Where routing pays: the effects of every variant over the grounds of a space, side by side.

A ground is a point of the axes, of task, depth, width, steps or rate, and has a leaderboard of its
own. So each effect is against the `add` of its ground, and counts as resolved where the p value of
that leaderboard, corrected over its variants, says so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darbench.board import cells
from darbench.board.entry_row import EntryRow
from darbench.board.leaderboard import Leaderboard
from darbench.pages.inert import packed, packed_numbers
from darbench.records.metric import METRICS

_Variant = tuple[str, str, str]  # its label, its routing and the parameters of it


@dataclass(frozen=True, kw_only=True)
class Regime:
    """The leaderboards of one space and track, ready for the template."""

    id: str  # its anchor
    axes: tuple[str, ...]  # those that have more than one value, whose points the grounds are
    tuned: tuple[str, ...]
    metric: str  # the titles of what ranks, for it may be measured otherwise in each task
    grounds: int
    variants: int
    data: str  # what the page draws, packed
    numbers: str = packed_numbers([])  # there are no curves


def regimes(boards: Sequence[Leaderboard]) -> list[Regime]:
    """A regime of every space and track with two points or more; boards as on the page."""
    groups: dict[tuple, list[Leaderboard]] = {}
    for board in boards:
        groups.setdefault((*sorted(board.point), board.tuned, board.rank_by), []).append(board)
    wide = [group for group in groups.values() if _axes(group)]
    return [_regime(group, f"r{place}") for place, group in enumerate(wide, start=1)]


def _axes(boards: Sequence[Leaderboard]) -> tuple[str, ...]:
    """The axes along which the boards differ."""
    first = boards[0].point
    return tuple(a for a in first if any(board.point[a] != first[a] for board in boards))


def _regime(boards: Sequence[Leaderboard], anchor: str) -> Regime:
    axes = _axes(boards)
    boards = sorted(
        boards, key=lambda board: [_order(board.point[axis], boards, axis) for axis in axes]
    )
    rows = [_rows(board) for board in boards]
    variants = sorted({variant for own in rows for variant in own})
    held = {
        "axes": axes,
        "grounds": [[_text(board.point[axis]) for axis in axes] for board in boards],
        "entries": [{"title": title, "trials": []} for title in _titles(variants)],
        "cells": [
            [_cell(own.get(v), b.rank_by) for own, b in zip(rows, boards, strict=True)]
            for v in variants
        ],
    }
    titles = dict.fromkeys(METRICS[b.rank_by].title_in(b.extractor) for b in boards)
    return Regime(
        id=anchor,
        axes=axes,
        tuned=boards[0].tuned,
        metric=" or ".join(titles),
        grounds=len(boards),
        variants=len(variants),
        data=packed(json.dumps(held, ensure_ascii=False, allow_nan=False)),
    )


def _order(value: Any, boards: Sequence[Leaderboard], axis: str) -> tuple:
    """Numbers by their size, and others in the order of the page."""
    if isinstance(value, int | float):
        return 0, value
    return 1, [board.point[axis] for board in boards].index(value)


def _rows(board: Leaderboard) -> dict[_Variant, EntryRow]:
    """The first row of every variant that is compared, as it is now."""
    found: dict[_Variant, EntryRow] = {}
    for row in board.rows:
        if not row.stale and not row.baseline:
            found.setdefault((row.label, row.routing, row.params_json), row)
    return found


def _titles(variants: Sequence[_Variant]) -> list[str]:
    """Labels, with the parameters where two variants have the same one."""
    labels = [label for label, _, _ in variants]
    return [v[0] if labels.count(v[0]) == 1 else f"{v[0]} {v[2]}" for v in variants]


def _cell(row: EntryRow | None, metric: str) -> dict[str, Any] | None:
    standing = row and row.metrics[metric]
    if standing is None or standing.effect is None:
        return None
    parts = {name: getattr(standing, name) for name in ("effect", "low", "high", "n")}
    return parts | {"resolved": cells.verdict(row, metric) != "even"}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
