"""What the page shows of one leaderboard, ready for the template: entries, plots, samples."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from darbench.analysis.outcomes import FAILURES
from darbench.board import cells
from darbench.board.entry_row import EntryRow, Standing
from darbench.board.facts import Fact
from darbench.board.figures import Style, curve_table, figure, figure_html, styles
from darbench.board.rank import Leaderboard
from darbench.board.reproduce import reproduce_command
from darbench.records.metric import COMPARED, DESCRIBED, METRICS, Metric

_ENVIRONMENT = (
    "device",
    "hw_class",
    "cpu",
    "threads",
    "python",
    "torch",
    "arithmetic",
    "darbench_version",
    "git_sha",
    "git_dirty",
    "data_fingerprint",
    "ref_hash",
)


@dataclass(frozen=True, kw_only=True)
class EffectCell:
    """The difference of an entry to `add` in one metric."""

    standing: Standing
    verdict: str  # better, worse or even
    bar: cells.Bar | None


@dataclass(frozen=True, kw_only=True)
class EntryView:
    """One entry: its row of the table, and its details further down."""

    row: EntryRow
    id: str  # its anchor
    name: str
    style: Style | None  # of its curves; None where none are drawn
    effects: Mapping[str, EffectCell]  # by name of the compared metric
    trials: list[dict[str, Any]]  # rows of Leaderboard.trials
    environment: dict[str, str]
    config: str
    command: str  # trains the entry again


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A metric over training FLOPs, as a figure and as a table."""

    metric: Metric
    html: Markup
    points: Mapping[str, list[dict[str, Any]]]  # rows of `curve_table`, by entry


@dataclass(frozen=True, kw_only=True)
class Picture:
    name: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The sample pictures of one pair id."""

    pair_id: int
    pictures: list[Picture]


@dataclass(frozen=True, kw_only=True)
class Section:
    id: str
    board: Leaderboard
    facts: list[Fact]
    entries: list[EntryView]
    compared: list[Metric]  # one column of the table each
    described: list[Metric]
    plots: list[Plot]
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
    def drawn(self) -> list[EntryView]:
        return [e for e in self.entries if any(e.row.entry in p.points for p in self.plots)]

    @property
    def failures(self) -> list[tuple[str, dict[str, Any]]]:
        """A pair (label of the entry, row of the trial) for every failed trial."""
        trials = ((e.name, trial) for e in self.entries for trial in e.trials)
        return [(name, trial) for name, trial in trials if trial["status"] in FAILURES]


def section(
    board: Leaderboard, key: str, facts: list[Fact], samples_dir: Path, *, library: bool
) -> Section:
    """Return the view of a leaderboard, of which every anchor begins with `key`.

    With `library` its first plot includes plotly.js.
    """
    names, looks = _names(board.rows), styles(board.rows)
    reach = {metric: cells.bar_reach(board.rows, metric) for metric in COMPARED}
    entries = []
    for i, row in enumerate(board.rows):
        effects = {m: _effect(row, m, reach[m]) for m in COMPARED}
        name, look = names[row.entry], looks.get(row.entry)
        entries.append(_entry(board, row, f"{key}-e{i}", name, look, effects))
    return Section(
        id=key,
        board=board,
        facts=facts,
        entries=entries,
        compared=_measured(board, COMPARED),
        described=_measured(board, DESCRIBED),
        plots=_plots(board, key, names, library),
        samples=_samples(entries, samples_dir),
    )


def _measured(board: Leaderboard, names: Sequence[str]) -> list[Metric]:
    """The metrics that at least one entry has, and the one that ranks."""
    kept = {name for row in board.rows for name in names if row.metrics[name].mean is not None}
    return [METRICS[name] for name in names if name in kept | {board.rank_by}]


def _names(rows: Sequence[EntryRow]) -> dict[str, str]:
    """A map from entry to label, with the start of a hash where two labels are equal."""
    uses = Counter(row.label for row in rows if not row.stale)
    names = {}
    for row in rows:
        source, config = f" · source {(row.variant_code_hash or '')[:6]}", row.config_hash[:6]
        suffix = source if row.stale else f" · {config}"
        names[row.entry] = row.label + (suffix if row.stale or uses[row.label] > 1 else "")
    return names


def _effect(row: EntryRow, metric: str, reach: float) -> EffectCell:
    standing = row.metrics[metric]
    return EffectCell(
        standing=standing,
        verdict=cells.verdict(row, metric),
        bar=cells.interval_bar(standing, reach),
    )


def _entry(
    board: Leaderboard,
    row: EntryRow,
    anchor: str,
    name: str,
    style: Style | None,
    effects: Mapping[str, EffectCell],
) -> EntryView:
    trials = board.trials.filter(entry=row.entry).to_dicts()
    seed = min((t["pair_id"] for t in trials if t["split"] == row.split), default=0)
    return EntryView(
        row=row,
        id=anchor,
        name=name,
        style=style,
        effects=effects,
        trials=trials,
        environment=_environment(trials),
        config=json.dumps(json.loads(row.config_json), indent=2, sort_keys=True),
        command=reproduce_command(row.config_json, seed, board.files),
    )


def _environment(trials: list[dict[str, Any]]) -> dict[str, str]:
    """The environment that the trials ran in; all values are listed where they differ."""
    values_of = {}
    for column in _ENVIRONMENT:
        values = {str(trial[column]) for trial in trials if trial[column] is not None}
        if values:
            values_of[column] = ", ".join(sorted(values))
    return values_of


def _plots(board: Leaderboard, key: str, names: Mapping[str, str], library: bool) -> list[Plot]:
    plots: list[Plot] = []
    for name in COMPARED:
        if board.curves[name].count():
            title = METRICS[name].title_in(board.extractor)
            drawn = figure(board, name, title, names)
            div = figure_html(drawn, f"{key}-{name}", with_library=library and not plots)
            points = {entry: [] for entry in styles(board.rows)}
            for point in curve_table(board, name).to_dicts():
                points.get(point["entry"], []).append(point)
            points = {entry: own for entry, own in points.items() if own}
            plots.append(Plot(metric=METRICS[name], html=Markup(div), points=points))
    return plots


def _samples(entries: Sequence[EntryView], samples_dir: Path) -> Samples | None:
    """The pictures of the lowest pair id among those that most entries have a picture of."""
    by_pair: dict[int, list[Picture]] = {}
    for entry in entries:
        for trial in entry.trials:
            judged = trial["status"] == "ok" and trial["split"] == entry.row.split
            uri = cells.picture(samples_dir / f"{trial['trial_id']}.png") if judged else None
            if uri and not entry.row.stale:
                by_pair.setdefault(trial["pair_id"], []).append(Picture(name=entry.name, uri=uri))
    if not by_pair:
        return None
    pair = min(by_pair, key=lambda p: (-len(by_pair[p]), p))
    return Samples(pair_id=pair, pictures=by_pair[pair])
