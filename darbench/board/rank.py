"""From rows to leaderboards: one per task, protocol and budget, ranked at matched compute.

Every entry is compared with the `add` entry of the same backbone, seed by seed, at exactly the
section's budget of training FLOPs. An entry has a score and a rank only when all declared seeds
have finished; until then its provisional means are shown below the ranked ones.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from darbench.analysis.comparison import baseline, effect_against
from darbench.analysis.effects import holm
from darbench.analysis.outcomes import Entry, entries
from darbench.analysis.pairing import arithmetic_mark
from darbench.board.entry_row import EntryRow, to_frame
from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED
from darbench.records.schema import COLUMNS
from darbench.store.declared import Declared
from darbench.store.tables import POLARS_SCHEMA

NOTHING = Declared()
Placed = tuple[EntryRow, Entry]
SECTION = ("task", "protocol_hash", "budget_flops")
_PROVENANCE = tuple(
    name for name in POLARS_SCHEMA if COLUMNS[name].volatile and COLUMNS[name].kind != "floats"
)


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One ranking: one row per entry, best first, unranked entries last.

    The metrics of an entry without score are provisional: means over the seeds it has.
    """

    task: str
    extractor: str
    protocol: dict[str, Any]  # what the protocol hash covers, by name; empty in rows without it
    protocol_hash: str
    n_ref: int | None  # number of reference images
    budget_flops: float | None  # training FLOPs; None where all trials crashed too early
    rank_by: str
    pair_ids: tuple[int, ...]  # of all entries and splits
    rows: tuple[EntryRow, ...]
    files: dict[str, str]  # where routings that are not built in are written, by name
    curves: pl.DataFrame  # one row per entry, pair id and checkpoint
    trials: pl.DataFrame  # one row per trial: how it stands, what it reached, where it ran

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as a table.

        Relative effects are fractions: -0.02 in `val_loss_effect` is 2 % below `add`. Beside them
        stand `_low` and `_high` (95 % paired t interval), `_n` (seeds), `_p` and `_p_holm`.
        """
        return to_frame(self.rows)


def sections(frame: pl.DataFrame, declared: Declared = NOTHING) -> list[Leaderboard]:
    """Return a leaderboard per task, protocol and budget, the largest budget first.

    Each is ranked by the metric that the last sweep of any of its configurations declared, or else
    by that of its latest row. The seeds an entry must have are those that sweeps declared for any
    configuration of its section, and all that occur in the rows; so a board that is built during a
    sweep does not rank entries on the seeds that happen to be done.
    """
    parts = _with_budgets(frame).partition_by(SECTION, maintain_order=True)
    boards = [_leaderboard(part, declared) for part in parts]
    return sorted(boards, key=lambda b: (-(b.budget_flops or 0), b.task, b.protocol_hash))


def rank(frame: pl.DataFrame, declared: Declared = NOTHING) -> Leaderboard:
    """Return the leaderboard of rows that form a single section; arguments as for `sections`."""
    boards = sections(frame, declared)
    if len(boards) != 1:
        raise BadInput(
            f"these rows hold {len(boards)} rankings, by {', '.join(SECTION)}; "
            "use darbench.board.rank.sections, or filter the rows first"
        )
    return boards[0]


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
    model = {k: v for k, v in config["model"].items() if k != "zero_t_embed"}
    training = config["training"]
    recipe = [training.get(name) for name in ("steps", "batch", "objective", "repa")]
    return json.dumps([config["task"], model, recipe])


def _leaderboard(part: pl.DataFrame, declared: Declared) -> Leaderboard:
    first = part.row(0, named=True)
    rank_by = declared.ranking(set(part["config_hash"])) or part.sort("created_utc")["rank_by"][-1]
    if rank_by not in COMPARED:
        raise unknown("rank metric", str(rank_by), COMPARED)
    present = entries(part.to_dicts(), first["budget_flops"], declared.sources)
    required = {e.split: _required_seeds(present, e.split, declared) for e in present}
    rows = [
        EntryRow.of(e, baseline(e, present, rank_by), required[e.split], rank_by) for e in present
    ]
    for metric in COMPARED:
        rows = _corrected(rows, metric)
    ordered = sorted(zip(rows, present, strict=True), key=lambda pair: _order(pair[0], rank_by))
    placed = [*_numbered(ordered, rank_by)]
    return Leaderboard(
        task=first["task"],
        extractor=first["extractor"],
        protocol=json.loads(first["protocol_json"] or "{}"),
        protocol_hash=first["protocol_hash"],
        n_ref=part["n_ref"].max(),
        budget_flops=first["budget_flops"],
        rank_by=rank_by,
        pair_ids=tuple(sorted(set().union(*required.values()))),
        files=dict(declared.files),
        rows=tuple(row for row, _ in placed),
        curves=_curves(placed),
        trials=_trials(placed),
    )


def _required_seeds(present: list[Entry], split: str, declared: Declared) -> set[int]:
    """The seeds that every entry of the split must have.

    None are declared for a search, which draws its own.
    """
    current = [e for e in present if not e.stale]
    seeds = {o.pair_id for e in current for o in e.of(split)}
    if split != "search":
        seeds.update(s for e in current for s in declared.seeds.get(e.head["config_hash"], ()))
    return seeds


def _corrected(rows: list[EntryRow], metric: str) -> list[EntryRow]:
    """Add Holm's correction over all variants of the section; stale entries do not count."""
    adjusted = holm([None if row.stale else row.metrics[metric].p for row in rows])
    standings = (
        {**row.metrics, metric: replace(row.metrics[metric], p_holm=p)}
        for row, p in zip(rows, adjusted, strict=True)
    )
    return [replace(row, metrics=m) for row, m in zip(rows, standings, strict=True)]


def _order(row: EntryRow, rank_by: str) -> tuple:
    """A sort key: ranked entries by score, then provisional, search-only and stale ones."""
    group = 3 if row.stale else 2 if row.split == "search" else row.score is None
    value = row.metrics[rank_by].mean
    return int(group), math.inf if value is None else value, row.label, row.entry


def _numbered(ordered: list[Placed], rank_by: str) -> Iterator[Placed]:
    """Give ranks and tiers to the rows.

    The best entry leads tier 1. Going down, an entry opens the next tier
    and leads it when the 95 % interval of its paired difference to the leader of the current
    tier excludes 0. With fewer than two common seeds nothing can be told apart: no tiers.
    """
    leader, tier = ordered[0][1], 1
    for place, (row, entry) in enumerate(ordered, start=1):
        ranked = row.score is not None
        effect = effect_against(entry, leader, rank_by) if ranked else None
        row = replace(row, mark=_mark(row, entry, leader) if effect is not None else row.mark)
        if effect is not None and effect.separated:
            leader, tier = entry, tier + 1
        told_apart = effect is not None and effect.n >= 2
        yield (
            replace(row, rank=place if ranked else None, tier=tier if told_apart else None),
            entry,
        )


def _mark(row: EntryRow, entry: Entry, leader: Entry) -> str:
    """The row's mark, also with whether other kernels computed the leader of its tier.

    An entry without a baseline, or led by another backbone, would not show it otherwise.
    """
    mark = arithmetic_mark(entry, leader)
    return row.mark if mark in row.mark else ", ".join(filter(None, [row.mark, mark]))


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
    columns = ("trial_id", "pair_id", "split", "step", *_PROVENANCE)
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
