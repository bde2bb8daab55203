"""What the page shows of one leaderboard, ready for the template: entries, plots, samples."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from darbench.analysis.contrast import Contrast
from darbench.analysis.effects import Effect
from darbench.analysis.outcomes import FAILURES, rate_falls
from darbench.analysis.proxies import FEWEST, TRIVIAL, Correlation
from darbench.analysis.tiers import pair_level
from darbench.board import cells
from darbench.board.column import Column
from darbench.board.columns import columns, table
from darbench.board.data import data
from darbench.board.entry_view import EntryView, entry_views, names_of
from darbench.board.facts import Fact
from darbench.board.figures import curve_table, leading, styles
from darbench.board.leaderboard import Leaderboard
from darbench.board.parameters import chosen
from darbench.board.picture import Picture, picture
from darbench.board.reproduce import literal
from darbench.board.samples import Samples, samples
from darbench.board.trajectory import trajectory
from darbench.command_line import published
from darbench.pages.inert import packed, packed_numbers
from darbench.records.metric import COMPARED, METRICS, Metric
from darbench.records.schema import COLUMNS
from darbench.store.importances import Importance


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A metric over training FLOPs, which the page's script draws."""

    metric: Metric
    id: str  # its anchor
    picture: Picture | None  # what stands there until plotly has drawn it, or without scripts


@dataclass(frozen=True, kw_only=True)
class ContrastView:
    """A routing's effects where velocities and where data are predicted, and their difference."""

    name: str
    effects: list[tuple[Effect, int]]  # with velocities, with data, difference; and its decimals


@dataclass(frozen=True, kw_only=True)
class ProxyView:
    """What one column says of the order of entries."""

    found: Correlation

    @property
    def doc(self) -> str:
        return COLUMNS[self.found.proxy].doc

    @property
    def trivial(self) -> bool:
        return self.found.proxy in TRIVIAL


@dataclass(frozen=True, kw_only=True)
class Section:
    id: str
    board: Leaderboard
    facts: list[Fact]
    entries: list[EntryView]
    reference: str  # the name of the entry that scores are ratios to
    compared: list[Metric]
    columns: list[Column]
    values: Mapping[str, Mapping[str, Any]]  # of the columns, by entry and name
    contrasts: list[ContrastView]
    proxies: list[ProxyView]
    plots: list[Plot]
    data: str  # what the page draws and scores by itself, packed
    numbers: str  # its learning curves, packed
    table: str  # all columns of the ranking, packed
    importances: Sequence[Importance]  # of its search
    samples: Samples | None

    @property
    def rank_metric(self) -> Metric:
        return METRICS[self.board.rank_by]

    @property
    def ranked(self) -> int:
        return sum(e.row.rank is not None for e in self.entries)

    @property
    def separated(self) -> list[EntryView]:
        return [e for e in self.entries if e.effects[self.board.rank_by].verdict != "even"]

    @property
    def tested(self) -> bool:
        """Whether any ranked variant has a p value, without which nothing differs or does not."""
        standings = (e.row.metrics[self.board.rank_by] for e in self.entries)
        return any(standing.p_adjusted is not None for standing in standings)

    @property
    def tiers(self) -> int:
        return max((e.row.tier or 0 for e in self.entries), default=0)

    @property
    def has_baseline(self) -> bool:
        return any(e.row.baseline and e.row.rank is not None for e in self.entries)

    @property
    def controls(self) -> bool:
        return any(e.row.control for e in self.entries)

    @property
    def diverged(self) -> bool:
        return any(e.row.diverged for e in self.entries)

    @property
    def level(self) -> float:
        return pair_level(self.board.tried)

    @property
    def rate_falls(self) -> bool:
        """Whether the learning rate of an entry falls, so that its curve is of one training."""
        return any(rate_falls(row.config_json) for row in self.board.rows)

    @property
    def drawn(self) -> list[EntryView]:
        measured = set(self.board.curves["entry"])
        return [e for e in self.entries if e.style and e.row.entry in measured]

    @property
    def leading(self) -> list[str]:
        """The entries that are drawn unasked."""
        first, drawn = leading(self.board.rows), {e.row.entry for e in self.drawn}
        return [entry for entry in first if entry in drawn]

    @property
    def names(self) -> dict[str, str]:
        return {e.row.entry: e.name for e in self.entries}

    @property
    def searched(self) -> bool:
        """Whether configurations were picked on seeds that rank nothing."""
        return bool(trajectory(self.board))

    @property
    def pruned(self) -> int:
        """How many configurations a search stopped."""
        return sum(bool(entry.pruned) for entry in self.board.entries)

    @property
    def across(self) -> tuple[int, int]:
        """The places of the parameters that the heat map shows unasked."""
        return chosen(self.board.parameters)

    @property
    def failures(self) -> list[tuple[EntryView, dict[str, Any]]]:
        """A pair (entry, row of the trial) for every failed trial."""
        trials = ((e, trial) for e in self.entries for trial in e.trials)
        return [(e, trial) for e, trial in trials if trial["status"] in FAILURES]

    @property
    def overrides(self) -> list[str]:
        """What has a sweep rank the point of the axes, and no other, without a look before."""
        point = (f"{name}={literal(value)}" for name, value in self.board.point.items())
        return [*point, "coarse.seeds=[]"]

    @property
    def anyway(self) -> str:
        """The command that ranks a point which was left; empty where no shell can run one."""
        commands = filter(None, (self.board.commands[e.row.config_hash] for e in self.entries))
        words = shlex.split(next(commands, ""))
        added = [word for word in self.overrides if word not in words]
        return published([*words, *added]) if words else ""

    @property
    def again(self) -> list[str]:
        """The commands that run failed trials again; a diverged seed diverges again, so none."""
        able = (e.row for e, _ in self.failures if not e.row.stale and not e.row.diverged)
        return list(dict.fromkeys(self.board.commands[row.config_hash] for row in able))


def section(
    board: Leaderboard,
    key: str,
    facts: list[Fact],
    samples_dir: Path,
    room: int,
    importances: Sequence[Importance] = (),
) -> Section:
    """Return the view of a leaderboard, of which every anchor begins with `key`.

    `importances` are those of its search. Its pictures, of those in `samples_dir`, take `room`
    characters at most.
    """
    names, entries = names_of(board.rows), entry_views(board, key)
    held = data(board, names, importances)
    shown = columns(board)
    return Section(
        id=key,
        board=board,
        facts=facts,
        entries=entries,
        reference=names.get(board.reference or "", ""),
        compared=_measured(board, COMPARED),
        columns=shown,
        values={row.entry: row.columns() for row in board.rows},
        contrasts=[_contrast(contrast, names) for contrast in board.contrasts],
        proxies=[ProxyView(found=c) for c in board.proxies if c.n >= FEWEST],
        plots=_plots(board, key),
        data=packed(held.text),
        numbers=packed_numbers(held.numbers),
        table=packed(table(board, shown)),
        importances=importances,
        samples=samples(entries, samples_dir, room),
    )


def _contrast(contrast: Contrast, names: Mapping[str, str]) -> ContrastView:
    effects = contrast.velocity, contrast.data, contrast.difference
    decimals = (cells.digits(e.mean, e.low, e.high) for e in effects)
    return ContrastView(
        name=names[contrast.entry.name], effects=[*zip(effects, decimals, strict=True)]
    )


def _measured(board: Leaderboard, names: Sequence[str]) -> list[Metric]:
    """The metrics that at least one entry has, and the one that ranks."""
    kept = {name for row in board.rows for name in names if row.metrics[name].mean is not None}
    return [METRICS[name] for name in names if name in kept | {board.rank_by}]


def _plots(board: Leaderboard, key: str) -> list[Plot]:
    drawn = board.curves.filter(pl.col("entry").is_in([*styles(board.rows)]))
    shown = (METRICS[name] for name in COMPARED if drawn[name].count())
    return [
        Plot(
            metric=metric,
            id=f"{key}-{metric.name}",
            picture=_picture(board, metric.name) if metric.name == board.rank_by else None,
        )
        for metric in shown
    ]


def _picture(board: Leaderboard, metric: str) -> Picture | None:
    """The leading curves; None where none of them has a point."""
    drawn, points = styles(board.rows), {}
    for point in curve_table(board, metric).to_dicts():
        points.setdefault(point["entry"], []).append(point)
    points = {entry: points[entry] for entry in leading(board.rows) if entry in points}
    return picture(points, board.budget_flops, drawn) if points else None
