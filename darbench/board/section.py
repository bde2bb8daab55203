"""What the page shows of one leaderboard, ready for the template: entries, plots, samples."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.analysis.contrast import Contrast
from darbench.analysis.effects import Effect
from darbench.analysis.outcomes import FAILURES, rate_falls
from darbench.analysis.tiers import pair_level
from darbench.board import cells
from darbench.board.data import data
from darbench.board.entry_view import EntryView, entry_views, names_of
from darbench.board.facts import Fact
from darbench.board.figures import curve_table, figure, styles
from darbench.board.inert import packed
from darbench.board.leaderboard import Leaderboard
from darbench.board.picture import Picture, picture
from darbench.board.reproduce import literal
from darbench.command_line import published
from darbench.records.metric import COMPARED, DESCRIBED, METRICS, Metric


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A metric over training FLOPs, as a figure and as a table."""

    metric: Metric
    id: str  # its anchor
    figure: str  # for plotly, packed
    points: Mapping[str, list[dict[str, Any]]]  # rows of `curve_table`, by entry
    picture: Picture | None  # what stands there until plotly has drawn it, or without scripts


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The sample pictures of one pair id."""

    pair_id: int
    pictures: list[Sample]


@dataclass(frozen=True, kw_only=True)
class ContrastView:
    """A routing's effects where velocities and where data are predicted, and their difference."""

    name: str
    effects: list[tuple[Effect, int]]  # with velocities, with data, difference; and its decimals


@dataclass(frozen=True, kw_only=True)
class Section:
    id: str
    board: Leaderboard
    facts: list[Fact]
    entries: list[EntryView]
    reference: str  # the name of the entry that scores are ratios to
    compared: list[Metric]  # one column of the table each
    beside: Mapping[str, list[Metric]]  # those in the same column, by name
    described: list[Metric]
    contrasts: list[ContrastView]
    plots: list[Plot]
    data: str  # what the page scores by itself, packed
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
    def beside_shown(self) -> bool:
        return any(self.beside[metric.name] for metric in self.compared)

    @property
    def metrics(self) -> list[Metric]:
        """All that the section shows, a metric before those beside it."""
        shown = [m for metric in self.compared for m in (metric, *self.beside[metric.name])]
        return shown + self.described

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
        return [e for e in self.entries if any(e.row.entry in p.points for p in self.plots)]

    @property
    def names(self) -> dict[str, str]:
        return {e.row.entry: e.name for e in self.entries}

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


def section(board: Leaderboard, key: str, facts: list[Fact], samples_dir: Path) -> Section:
    """Return the view of a leaderboard, of which every anchor begins with `key`."""
    names, entries = names_of(board.rows), entry_views(board, key)
    described = _measured(board, DESCRIBED)
    return Section(
        id=key,
        board=board,
        facts=facts,
        entries=entries,
        reference=names.get(board.reference or "", ""),
        compared=_measured(board, COMPARED),
        beside={m: [d for d in described if d.beside == m] for m in COMPARED},
        described=[metric for metric in described if not metric.beside],
        contrasts=[_contrast(contrast, names) for contrast in board.contrasts],
        plots=_plots(board, key, names),
        data=packed(data(board)),
        samples=_samples(entries, samples_dir),
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


def _plots(board: Leaderboard, key: str, names: Mapping[str, str]) -> list[Plot]:
    shown = (name for name in COMPARED if board.curves[name].count())
    return [_plot(board, METRICS[name], f"{key}-{name}", names) for name in shown]


def _plot(board: Leaderboard, metric: Metric, anchor: str, names: Mapping[str, str]) -> Plot:
    drawn, points = styles(board.rows), {}
    for point in curve_table(board, metric.name).to_dicts():
        points.setdefault(point["entry"], []).append(point)
    points = {entry: points[entry] for entry in drawn if entry in points}
    drawing = figure(board, metric.name, metric.title_in(board.extractor), names)
    ranks = metric.name == board.rank_by
    return Plot(
        metric=metric,
        id=anchor,
        figure=packed(drawing.to_json()),
        points=points,
        picture=picture(points, board.budget_flops, drawn) if ranks and points else None,
    )


def _samples(entries: Sequence[EntryView], samples_dir: Path) -> Samples | None:
    """The pictures of the lowest pair id among those that most entries have a picture of."""
    by_pair: dict[int, list[Sample]] = {}
    for entry in entries:
        for trial in entry.trials:
            judged = trial["status"] == "ok" and trial["split"] == entry.row.split
            uri = cells.picture(samples_dir / f"{trial['trial_id']}.png") if judged else None
            if uri and not entry.row.stale:
                by_pair.setdefault(trial["pair_id"], []).append(Sample(name=entry.name, uri=uri))
    if not by_pair:
        return None
    pair = min(by_pair, key=lambda p: (-len(by_pair[p]), p))
    return Samples(pair_id=pair, pictures=by_pair[pair])
