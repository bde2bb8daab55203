"""How the entries of a section are drawn: their lines, and the points of their curves.

What the page's script draws is made by scripts/curves.js, the picture before it by
darbench.board.picture.
"""

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from darbench.analysis.comparison import BASELINE
from darbench.board.entry_row import EntryRow
from darbench.board.leaderboard import Leaderboard

# These read on white and on near black, and most colour-blind readers can tell them apart.
COLOURS = ("#3a86d8", "#e0772f", "#2f9e77", "#b65fc4", "#c09a1a", "#d9506a", "#3aa6b9", "#9a7b5b")
BASELINE_COLOUR = "#868e96"
HEIGHT = 420
MARGIN = {"l": 64, "r": 44, "t": 24, "b": 52}
LEADING = 12  # curves that are drawn unasked, beside those of `add`
_DASHES = ("solid", "dash", "dot", "dashdot")


class Style(NamedTuple):
    """How the curve of an entry is drawn."""

    colour: str
    dash: str


def styles(rows: Iterable[EntryRow]) -> dict[str, Style]:
    """A map from entry to style; stale entries are not drawn, and `add` is grey everywhere."""
    drawn = [row for row in rows if not row.stale]
    others = [row.entry for row in drawn if not row.baseline]
    chosen = {row.entry: Style(BASELINE_COLOUR, "solid") for row in drawn if row.baseline}
    chosen |= {entry: _style(place) for place, entry in enumerate(others)}
    return {row.entry: chosen[row.entry] for row in drawn}


def _style(place: int) -> Style:
    return Style(COLOURS[place % len(COLOURS)], _DASHES[place // len(COLOURS) % len(_DASHES)])


def families(rows: Iterable[EntryRow]) -> dict[str, Style]:
    """A map from routing to style, for lines of many entries; `add` is grey here too."""
    names = [name for name in dict.fromkeys(row.routing for row in rows) if name != BASELINE]
    looks = {
        name: Style(COLOURS[place % len(COLOURS)], _DASHES[place % len(_DASHES)])
        for place, name in enumerate(names)
    }
    return {BASELINE: Style(BASELINE_COLOUR, "solid")} | looks


def leading(rows: Iterable[EntryRow]) -> list[str]:
    """The entries whose curves are drawn unasked: the first ones, and every `add`."""
    drawn = [row for row in rows if not row.stale]
    return [row.entry for i, row in enumerate(drawn) if i < LEADING or row.baseline]


def curve_table(board: Leaderboard, metric: str) -> pl.DataFrame:
    """A table of entry, train_flops, mean, low, high and seeds, a row per entry and checkpoint.

    low and high are the smallest and the largest value over the seeds.
    """
    value = pl.col(metric)
    return (
        board.curves.filter(value > 0)
        .group_by("entry", "step", maintain_order=True)
        .agg(
            train_flops=pl.col("train_flops").mean(),
            mean=value.mean(),
            low=value.min(),
            high=value.max(),
            seeds=pl.len(),
        )
        .sort("train_flops")
    )
