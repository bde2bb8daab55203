"""From rows to leaderboards: one per task, protocol, budget and place, at matched compute.

Every entry is compared with the `add` entry of the same backbone, seed by seed, at exactly the
section's budget of training FLOPs. An entry has a score and a rank only when the seeds that its
own sweeps declared have finished; until then its provisional means are shown below the ranked.
"""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from darbench.analysis.comparison import baseline, measured_alike, reference, score
from darbench.analysis.contrast import Contrast, contrasts
from darbench.analysis.effects import hochberg
from darbench.analysis.outcomes import Entry, entries
from darbench.analysis.pairing import arithmetic_mark
from darbench.analysis.tiers import tiers
from darbench.board.entry_row import EntryRow, to_frame
from darbench.board.history import history
from darbench.board.tuning import Tuning, tuning
from darbench.errors import BadInput, unknown
from darbench.records.canonical import canonical_json
from darbench.records.metric import COMPARED
from darbench.records.schema import COLUMNS
from darbench.records.settings import PLAIN
from darbench.store.declared import Declared
from darbench.store.place import Place
from darbench.store.tables import POLARS_SCHEMA, with_all_columns

NOTHING = Declared()
Placed = tuple[EntryRow, Entry]
SECTION = ("task", "protocol_hash", "budget_flops")
_PROVENANCE = tuple(
    name for name in POLARS_SCHEMA if COLUMNS[name].volatile and COLUMNS[name].kind != "floats"
)


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One ranking: one row per entry, best first, unranked entries last.

    It is ordered by scores: geometric mean ratios to one `reference`, over the seeds that both
    have. That is the first complete `add`, or without one the first complete entry. Means are
    shown and rank nothing; those of an entry without score are provisional: over the seeds it has.
    """

    task: str
    point: Mapping[str, Any]  # of the space's axes: value by name
    tuned: tuple[str, ...]  # settings of which every entry has its own best
    tuning: Tuning | None  # what was tried of them
    extractor: str
    protocol: dict[str, Any]  # what the protocol hash covers, by name; empty in rows without it
    protocol_hash: str
    n_ref: int | None  # number of reference images
    n_fdr: int | None  # number of images that FDr is taken at
    val_class_accuracy: float | None  # of the classifier of `class_accuracy`
    budget_flops: float | None  # training FLOPs; None where all trials crashed too early
    rank_by: str
    reference: str | None  # the entry that scores are ratios to; None where none is complete
    tried: int  # entries that might have been ranked: earlier versions and failures too
    pair_ids: tuple[int, ...]  # of all entries and splits
    rows: tuple[EntryRow, ...]
    contrasts: tuple[Contrast, ...]  # of routings that stand here with both objectives
    files: dict[str, str]  # where routings that are not built in are written, by name
    commands: dict[str, str]  # which runs the missing seeds, by configuration hash
    curves: pl.DataFrame  # one row per entry, pair id and checkpoint
    trials: pl.DataFrame  # one row per trial: how it stands, what it reached, where it ran

    @property
    def name(self) -> str:
        """The task, the other axes and what is tuned, such as `digits-nano, model.patch=2`."""
        axes = (f"{name}={value}" for name, value in self.point.items() if name != "task")
        tuned = [f"tuned {' and '.join(self.tuned)}"] * bool(self.tuned)
        return ", ".join([self.task, *axes, *tuned])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as a table.

        Relative effects are fractions: -0.02 in `val_loss_effect` is 2 % below `add`. Beside them
        stand `_low` and `_high` (95 % paired t interval), `_n` (seeds), `_p`, and for the metric
        that ranks `_p_adjusted` (Hochberg, over all variants and their earlier versions).
        """
        return to_frame(self.rows)


def sections(frame: pl.DataFrame, declared: Declared = NOTHING) -> list[Leaderboard]:
    """Return a leaderboard per task, protocol, budget and declared place, largest budget first.

    Each is ranked by the metric that the last sweep of any of its configurations declared, or else
    by that of its latest row. The seeds an entry must have are those that sweeps declared for its
    configuration, and those of its rows; so a board that is built during a sweep does not rank
    entries on the seeds that happen to be done.
    """
    parts = [
        (order, _leaderboard(own, place, declared))
        for order, (place, part) in enumerate(_by_place(with_all_columns(frame), declared))
        for own in part.partition_by(SECTION, maintain_order=True)
    ]

    def key(part: tuple[int, Leaderboard]) -> tuple:
        order, board = part
        return -(board.budget_flops or 0), board.task, board.protocol_hash, order

    return [board for _, board in sorted(parts, key=key)]


def rank(frame: pl.DataFrame, declared: Declared = NOTHING) -> Leaderboard:
    """Return the leaderboard of rows that form a single section; arguments as for `sections`."""
    boards = sections(frame, declared)
    if len(boards) != 1:
        raise BadInput(
            f"these rows hold {len(boards)} rankings, by {', '.join(SECTION)}; "
            "use darbench.board.rank.sections, or filter the rows first"
        )
    return boards[0]


def _by_place(frame: pl.DataFrame, declared: Declared) -> list[tuple[Place, pl.DataFrame]]:
    """The rows of each place, in the order in which sweeps declared them."""
    known = [place for each in declared.places.values() for place in each]
    found = {_section(place): (place, set()) for place in [Place(), *known]}
    for key in frame.select("config_hash", "split").unique().rows():
        for place in declared.standing(*key):
            found[_section(place)][1].add("/".join(key))
    keys = pl.concat_str("config_hash", "split", separator="/")
    frame = _with_budgets(frame)
    return [(place, frame.filter(keys.is_in(list(own)))) for place, own in found.values() if own]


def _section(place: Place) -> tuple[str, tuple[str, ...]]:
    return canonical_json(place.point), place.tuned


def _with_budgets(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill in the budget of trials that crashed early, from rows of equal cost."""
    if not frame["budget_flops"].null_count():
        return frame
    costs = [_cost(text) for text in frame["config_json"]]
    budgets = frame["budget_flops"].to_list()
    measured = {cost: b for cost, b in zip(costs, budgets, strict=True) if b is not None}
    filled = [measured.get(c) if b is None else b for c, b in zip(costs, budgets, strict=True)]
    return frame.with_columns(pl.Series("budget_flops", filled, dtype=pl.Float64))


def _cost(config_json: str) -> str:
    """What decides the FLOPs of the budget: task, backbone, objective, batch and steps."""
    config = json.loads(config_json)
    aside = ("zero_t_embed", *PLAIN)
    model = {k: v for k, v in config["model"].items() if k not in aside}
    training = config["training"]
    recipe = [training.get(name) for name in ("steps", "batch", "objective", "repa")]
    return json.dumps([config["task"], model, recipe])


def _leaderboard(part: pl.DataFrame, place: Place, declared: Declared) -> Leaderboard:
    first = part.row(0, named=True)
    rank_by = declared.ranking(set(part["config_hash"])) or part.sort("created_utc")["rank_by"][-1]
    if rank_by not in COMPARED:
        raise unknown("rank metric", str(rank_by), COMPARED)
    budget = first["budget_flops"]
    known = entries(part.to_dicts(), budget, declared.sources, declared.seeds, declared.controls)
    tuned = tuning(known, place.tuned, rank_by, budget) if place.tuned else None
    # On the tuned track what was only tried is none of the entries, once one is picked.
    present = ([e for e in known if e.split != "search"] if tuned else []) or known
    measure = reference(present, rank_by)
    rows = [_row(entry, present, measure, rank_by, place.tuned, declared) for entry in present]
    if tuned:
        rows = [replace(r, mark=_joined(r.mark, tuned.edges.get(r.config_hash))) for r in rows]
    ordered = sorted(
        zip(_corrected(rows, rank_by), present, strict=True), key=lambda p: _order(p[0], rank_by)
    )
    tried = sum(_counts(row) for row in rows)
    placed = _placed(ordered, rank_by, tried)
    return Leaderboard(
        task=first["task"],
        point=place.point,
        tuned=place.tuned,
        tuning=tuned,
        extractor=first["extractor"],
        protocol=json.loads(first["protocol_json"] or "{}"),
        protocol_hash=first["protocol_hash"],
        n_ref=part["n_ref"].max(),
        n_fdr=part["n_fdr"].max(),
        val_class_accuracy=part["val_class_accuracy"].max(),
        budget_flops=budget,
        rank_by=rank_by,
        reference=measure and measure.name,
        tried=tried,
        pair_ids=tuple(sorted(set().union(*(e.required for e in present if not e.stale)))),
        files=dict(declared.files),
        commands={e.key[0]: declared.commands.get(e.key[0], declared.command) for e in present},
        rows=tuple(row for row, _ in placed),
        contrasts=tuple(contrasts(present, rank_by, place.tuned)),
        curves=_curves(placed),
        trials=_trials(placed),
    )


def _row(
    entry: Entry,
    present: list[Entry],
    measure: Entry | None,
    rank_by: str,
    tuned: Collection[str],
    declared: Declared,
) -> EntryRow:
    past = history(entry, present, declared.earlier.get(entry.key[0], {}), rank_by)
    base = baseline(entry, present, rank_by)
    ratio = measure and score(entry, measure, rank_by)
    row = EntryRow.of(entry, base, rank_by, ratio, past, tuned)
    if ratio is not None or measure is None or not entry.ranks(rank_by):
        return row
    apart = f"no seed to compare with {measure.label}"
    if not measured_alike(entry, measure, rank_by):
        apart = f"not ranked: {measure.label} has another loss"
    return row if "not paired" in row.mark else replace(row, mark=_joined(row.mark, apart))


def _counts(row: EntryRow) -> bool:
    """Whether chance could have put the entry on top: it ran, or will, on seeds that rank.

    A control is no routing that might win: it has neither rank nor p value, so it is not counted.
    """
    return row.split != "search" and not row.control


def _corrected(rows: list[EntryRow], metric: str) -> list[EntryRow]:
    """Add Hochberg's correction over all variants of the section that were tried.

    Earlier versions of a routing count, for whoever edits until it wins picks among them; and as
    every version was looked at in its turn, that of k earlier ones is tested at 1 / (1 + k / 2) of
    the level, so that all false wins together stay below it however long the editing goes on:
    1 / 2 + 1 / 6 + 1 / 12 + ... = 1. What has no p value yet, or will have none, counts as 1: the
    family does not grow as a sweep goes on.
    """
    family = [_p_in_family(row, row.metrics[metric].p) for row in rows]
    return [
        replace(row, metrics={**row.metrics, metric: replace(row.metrics[metric], p_adjusted=p)})
        if row.score is not None and row.metrics[metric].p is not None
        else row
        for row, p in zip(rows, hochberg(family), strict=True)
    ]


def _p_in_family(row: EntryRow, p: float | None) -> float | None:
    if not _counts(row) or row.against in (None, row.entry):
        return None
    return 1.0 if p is None else min(1.0, (1 + row.versions / 2) * p)


def _order(row: EntryRow, rank_by: str) -> tuple:
    """A sort key: ranked entries by score, controls, then provisional, search-only, stale ones."""
    group = 1 if row.control else 2 if row.score is None else 0
    group = 4 if row.stale else 3 if row.split == "search" else group
    value = row.metrics[rank_by].effect if row.score is None else row.score
    return group, math.inf if value is None else value, row.label, row.entry


def _placed(ordered: list[Placed], rank_by: str, tried: int) -> list[Placed]:
    """Give ranks and tiers to the rows."""
    ranked = [(row, entry) for row, entry in ordered if row.score is not None]
    placed = tiers((entry for _, entry in ranked), rank_by, tried)
    numbered = [
        (replace(row, rank=place, tier=tier, mark=_mark(row, entry, leader)), entry)
        for place, ((row, _), (entry, tier, leader)) in enumerate(
            zip(ranked, placed, strict=True), start=1
        )
    ]
    return numbered + ordered[len(ranked) :]


def _mark(row: EntryRow, entry: Entry, leader: Entry) -> str:
    """The row's mark, also with whether other kernels computed the leader of its tier.

    An entry without a baseline, or led by another backbone, would not show it otherwise.
    """
    mark = arithmetic_mark(entry, leader)
    return row.mark if mark in row.mark else _joined(row.mark, mark)


def _joined(*marks: str | None) -> str:
    return ", ".join(filter(None, marks))


def _curves(placed: list[Placed]) -> pl.DataFrame:
    columns = ("pair_id", "step", "train_flops", *COMPARED)
    rows = [
        {"entry": row.entry} | {name: point[name] for name in columns}
        for row, entry in placed
        for outcome in entry.trials
        for point in outcome.curve
    ]
    return pl.DataFrame(rows, {"entry": pl.String} | {c: POLARS_SCHEMA[c] for c in columns})


def _trials(placed: list[Placed]) -> pl.DataFrame:
    """A row per trial: compared metrics at the budget, other columns as at the trial's end."""
    columns = ("trial_id", "pair_id", "split", "step", "routing_dead_share", *_PROVENANCE)
    rows = [
        {"entry": row.entry, "status": trial.status}
        | {metric: trial.values.get(metric) for metric in COMPARED}
        | {name: trial.last[name] for name in columns}
        for row, entry in placed
        for trial in sorted(entry.outcomes, key=lambda o: (o.last["split"], o.pair_id))
    ]
    added: dict[str, Any] = {"entry": pl.String} | {c: POLARS_SCHEMA[c] for c in COMPARED}
    return pl.DataFrame(
        rows, added | {"status": pl.String} | {c: POLARS_SCHEMA[c] for c in columns}
    )
