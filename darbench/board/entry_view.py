"""What the page shows of the entries of one leaderboard: names, effects, trials, commands."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darbench.board import cells
from darbench.board.entry_row import EntryRow, Standing
from darbench.board.figures import styles
from darbench.board.leaderboard import Leaderboard
from darbench.board.reproduce import reproduce_command
from darbench.pages.colours import Style
from darbench.records.metric import COMPARED

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
    digits: int  # decimals of its percentages


@dataclass(frozen=True, kw_only=True)
class EntryView:
    """One entry: its row of the table, and its details further down."""

    row: EntryRow
    id: str  # its anchor
    short: str  # its name in the page's address
    name: str
    style: Style | None  # of its curves; None where none are drawn
    effects: Mapping[str, EffectCell]  # by name of the compared metric
    # Empty where its effect is against the entry that scores are ratios to:
    against: str  # the name of the entry it is compared with
    score: float | None
    trials: list[dict[str, Any]]  # rows of Leaderboard.trials
    environment: dict[str, str]
    config: str
    command: str  # trains the entry again


def entry_views(board: Leaderboard, key: str) -> list[EntryView]:
    """Return the views of all entries, of which every anchor begins with `key`."""
    names, looks = names_of(board.rows), styles(board.rows)
    reach = {metric: cells.bar_reach(board.rows, metric) for metric in COMPARED}
    views = []
    for row in board.rows:
        effects = {m: _effect(row, m, reach[m]) for m in COMPARED}
        look = looks.get(row.entry)
        views.append(_entry(board, row, _anchor(row, key), names, look, effects))
    return views


def _anchor(row: EntryRow, key: str) -> str:
    """The anchor of an entry, by what it is: after another result a rank is of another one."""
    return f"{key}-e{_short(row)}"


def _short(row: EntryRow) -> str:
    return f"{row.config_hash[:10]}{(row.variant_code_hash or '')[:6]}"


def names_of(rows: Sequence[EntryRow]) -> dict[str, str]:
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
        digits=cells.digits(standing.effect, standing.low, standing.high),
    )


def _entry(
    board: Leaderboard,
    row: EntryRow,
    anchor: str,
    names: Mapping[str, str],
    style: Style | None,
    effects: Mapping[str, EffectCell],
) -> EntryView:
    trials = board.trials.filter(entry=row.entry).to_dicts()
    another = row.against not in (row.entry, board.reference)
    seed = min((t["pair_id"] for t in trials if t["split"] == row.split), default=0)
    return EntryView(
        row=row,
        id=anchor,
        short=_short(row),
        name=names[row.entry],
        style=style,
        effects=effects,
        against=names.get(row.against, "") if another else "",
        score=row.score if another else None,
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
