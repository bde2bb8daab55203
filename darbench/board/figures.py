"""How the entries of a section are drawn: their lines, and the points of their curves.

What the page's script draws is made by scripts/curves.js, the picture before it by
darbench.board.picture.
"""

from collections.abc import Iterable

import polars as pl

from darbench.analysis.comparison import BASELINE
from darbench.board.entry_row import EntryRow
from darbench.board.leaderboard import Leaderboard
from darbench.pages.colours import COLOURS, DASHES, GREY, Style, style

HEIGHT = 420
MARGIN = {"l": 64, "r": 44, "t": 24, "b": 52}
LEADING = 12  # curves that are drawn unasked, beside those of `add`


def styles(rows: Iterable[EntryRow]) -> dict[str, Style]:
    """A map from entry to style; stale entries are not drawn, and `add` is grey everywhere."""
    drawn = [row for row in rows if not row.stale]
    chosen = {row.entry: GREY for row in drawn if row.baseline}
    others = [row.entry for row in drawn if not row.baseline]
    chosen |= {entry: style(place) for place, entry in enumerate(others)}
    return {row.entry: chosen[row.entry] for row in drawn}


def families(rows: Iterable[EntryRow]) -> dict[str, Style]:
    """A map from routing to style, for lines of many entries; `add` is grey here too."""
    names = [name for name in dict.fromkeys(row.routing for row in rows) if name != BASELINE]
    looks = {
        name: Style(COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)])
        for place, name in enumerate(names)
    }
    return {BASELINE: GREY} | looks


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
