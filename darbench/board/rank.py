"""Rows to leaderboards: one section per task, protocol and budget, ranked at matched compute.

Every entry is compared with the `add` entry of the same backbone, seed by seed, at exactly the
section's budget of training FLOPs. An entry has a score and a rank only when all declared seeds
have finished; until then its provisional means are shown below the ranked ones.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from darbench.analysis.effects import holm, paired_effect
from darbench.analysis.outcomes import COMPARED, DESCRIBED, Entry, entries
from darbench.board.compare import describe, log_differences
from darbench.errors import BadInput, unknown
from darbench.records.schema import COLUMNS
from darbench.store.declared import Declared
from darbench.store.tables import POLARS_SCHEMA

NOTHING = Declared()
SECTION = ("task", "protocol_hash", "budget_flops")
_TEXT = (
    "entry",
    "label",
    "routing",
    "mark",
    "split",
    "config_json",
    "params_json",
    "config_hash",
    "variant_code_hash",
)
_COUNTS = (
    "rank",
    "tier",
    "seeds",
    "seeds_declared",
    "failures",
    "trials",
    "val_loss_n",
    "fd_n",
    "params_total",
    "params_routing",
)
_FLAGS = ("baseline", "stale")
_PROVENANCE = tuple(
    name for name in POLARS_SCHEMA if COLUMNS[name].volatile and COLUMNS[name].kind != "floats"
)


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One ranking. `frame` has one row per entry, best first, unranked entries last.

    Relative effects are fractions: -0.02 in `val_loss_effect` is 2 % below `add`. Beside them
    stand `_low` and `_high` (95 % paired t interval), `_n` (seeds), `_p` and `_p_holm`. The
    metrics of an entry without score are provisional: means over the seeds it has.
    """

    task: str
    extractor: str
    protocol: dict[str, Any]  # what the hash is of, by name; empty in rows that lack it
    protocol_hash: str
    n_ref: int | None  # reference images
    budget_flops: float | None  # training FLOPs; None where every trial died before it was known
    rank_by: str
    pair_ids: tuple[int, ...]  # of all entries, in whatever split
    frame: pl.DataFrame
    files: dict[str, str]  # where routings that are not built in are written, by name
    curves: pl.DataFrame  # one row per entry, pair id and checkpoint
    trials: pl.DataFrame  # one row per trial: how it stands, what it reached, where it ran
    rank_column: str = "rank"
    score_column: str = "score"
    metric_columns: tuple[str, ...] = COMPARED + DESCRIBED
    effect_columns: tuple[str, ...] = tuple(f"{metric}_effect" for metric in COMPARED)


def sections(frame: pl.DataFrame, declared: Declared = NOTHING) -> list[Leaderboard]:
    """A leaderboard per task, protocol and budget, the largest budget first.

    Each is ranked by the metric that the last sweep of any of its configurations declared, or else
    by that of its latest row. The seeds an entry must have are those that sweeps declared for any
    configuration of its section, and all that occur in the rows; so a board that is built during a
    sweep does not rank entries on the seeds that happen to be done.
    """
    parts = _with_budgets(frame).partition_by(SECTION, maintain_order=True)
    boards = [_leaderboard(part, declared) for part in parts]
    return sorted(boards, key=lambda b: (-(b.budget_flops or 0), b.task, b.protocol_hash))


def rank(frame: pl.DataFrame, declared: Declared = NOTHING) -> Leaderboard:
    """The leaderboard of rows that belong to a single section; arguments as for `sections`."""
    boards = sections(frame, declared)
    if len(boards) != 1:
        raise BadInput(
            f"these rows hold {len(boards)} rankings, by {', '.join(SECTION)}; "
            "use darbench.board.rank.sections, or filter the rows first"
        )
    return boards[0]


def _with_budgets(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill in the budget of trials that died before it was known, from rows of equal cost."""
    if not frame["budget_flops"].null_count():
        return frame
    costs = [_cost(text) for text in frame["config_json"]]
    budgets = frame["budget_flops"].to_list()
    known = {cost: b for cost, b in zip(costs, budgets, strict=True) if b is not None}
    filled = [known.get(c) if b is None else b for c, b in zip(costs, budgets, strict=True)]
    return frame.with_columns(pl.Series("budget_flops", filled, dtype=pl.Float64))


def _cost(config_json: str) -> str:
    """What decides the FLOPs of the budget: task, backbone, objective, batch and steps."""
    config = json.loads(config_json)
    model = {k: v for k, v in config["model"].items() if k != "zero_t_embed"}
    training = config["training"]
    recipe = [training.get(name) for name in ("steps", "batch", "objective", "repa")]
    return json.dumps([config["task"], model, recipe])


def _leaderboard(part: pl.DataFrame, told: Declared) -> Leaderboard:
    first = part.row(0, named=True)
    rank_by = told.ranking(set(part["config_hash"])) or part.sort("created_utc")["rank_by"][-1]
    if rank_by not in COMPARED:
        raise unknown("rank metric", str(rank_by), COMPARED)
    found = entries(part.to_dicts(), first["budget_flops"], told.sources)
    declared = {e.split: _declared(found, e.split, told) for e in found}
    table = [describe(entry, found, declared[entry.split], rank_by) for entry in found]
    for metric in COMPARED:
        _adjust(table, metric)
    placed = sorted(zip(table, found, strict=True), key=lambda pair: _place(pair[0], rank_by))
    _number(placed, rank_by)
    return Leaderboard(
        task=first["task"],
        extractor=first["extractor"],
        protocol=json.loads(first["protocol_json"] or "{}"),
        protocol_hash=first["protocol_hash"],
        n_ref=part["n_ref"].max(),
        budget_flops=first["budget_flops"],
        rank_by=rank_by,
        pair_ids=tuple(sorted(set().union(*declared.values()))),
        files=dict(told.files),
        frame=_frame([row for row, _ in placed]),
        curves=_curves(placed),
        trials=_trials(placed),
    )


def _declared(found: list[Entry], split: str, told: Declared) -> set[int]:
    """Seeds every entry of the split must have. A search draws its own, so it is told none."""
    current = [e for e in found if not e.stale]
    seeds = {o.pair_id for e in current for o in e.of(split)}
    if split != "search":
        seeds.update(s for e in current for s in told.seeds.get(e.head["config_hash"], ()))
    return seeds


def _adjust(table: list[dict], metric: str) -> None:
    """Holm over all variants of the section; a stale entry is no part of the family."""
    p_values = [None if row["stale"] else row[f"{metric}_p"] for row in table]
    for row, adjusted in zip(table, holm(p_values), strict=True):
        row[f"{metric}_p_holm"] = adjusted


def _place(row: dict, rank_by: str) -> tuple:
    """Ranked entries by score, then the provisional, then search only, then stale ones."""
    group = 3 if row["stale"] else 2 if row["split"] == "search" else row["score"] is None
    value = row[rank_by]
    return int(group), math.inf if value is None else value, row["label"], row["entry"]


def _number(placed: list[tuple[dict, Entry]], rank_by: str) -> None:
    """Write ranks and tiers into the rows.

    Tiers follow one rule. The best entry leads tier 1. Going down, an entry opens the next tier
    and leads it when the 95 % interval of its paired difference to the leader of the current
    tier excludes 0. With fewer than two common seeds nothing can be told apart: no tiers.
    """
    leader, tier = placed[0][1], 1
    for place, (row, entry) in enumerate(placed, start=1):
        ranked = row["score"] is not None
        effect = paired_effect(log_differences(entry, leader, rank_by)) if ranked else None
        if effect is not None and effect.separated:
            leader, tier = entry, tier + 1
        row["rank"] = place if ranked else None
        row["tier"] = tier if effect is not None and effect.n >= 2 else None


def _frame(table: list[dict]) -> pl.DataFrame:
    kinds = dict.fromkeys(_TEXT, pl.String) | dict.fromkeys(_COUNTS, pl.Int64)
    kinds |= dict.fromkeys(_FLAGS, pl.Boolean)
    schema = {name: kinds.get(name, pl.Float64) for name in ("rank", "tier", *table[0])}
    return pl.DataFrame(table, schema=schema, strict=False)


def _curves(placed: list[tuple[dict, Entry]]) -> pl.DataFrame:
    columns = ("pair_id", "step", "train_flops", *COMPARED)
    rows = [
        {"entry": row["entry"]} | {name: point[name] for name in columns}
        for row, entry in placed
        for outcome in entry.trials
        for point in outcome.curve
    ]
    return pl.DataFrame(rows, {"entry": pl.String} | {c: POLARS_SCHEMA[c] for c in columns})


def _trials(placed: list[tuple[dict, Entry]]) -> pl.DataFrame:
    """`val_loss` and `fd` are those at the budget; the other columns are of the trial's end."""
    columns = ("trial_id", "pair_id", "split", "step", *_PROVENANCE)
    rows = [
        {"entry": row["entry"], "status": trial.status}
        | {metric: trial.values.get(metric) for metric in COMPARED}
        | {name: trial.last[name] for name in columns}
        for row, entry in placed
        for trial in sorted(entry.outcomes, key=lambda o: (o.last["split"], o.pair_id))
    ]
    added: dict[str, Any] = {"entry": pl.String} | {c: POLARS_SCHEMA[c] for c in COMPARED}
    return pl.DataFrame(
        rows, added | {"status": pl.String} | {c: POLARS_SCHEMA[c] for c in columns}
    )
