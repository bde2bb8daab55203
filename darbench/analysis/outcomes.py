"""The outcome of each trial and entry: status, values at exactly the budget, completeness.

An entry is one configuration under one source of its routing; its trials differ in the seed.
"""

import json
import math
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from darbench.analysis.effects import interpolate_log
from darbench.records.metric import COMPARED, DESCRIBED, METRICS
from darbench.store.ledger import FINISHED

FAILURES = ("diverged", "oom", "timeout", "crashed")
# An entry is judged by the first of these that it has. Seeds that picked a winner never rank it.
SPLITS = ("confirm", "heldout", "control", "search")
UNFINISHED = "unfinished"
DEAD = 0.5  # of its steps without any gradient of the routing: a router that died

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one trial. `values` are its metrics at the budget, if it got there."""

    last: Row  # the row that says how the trial stands
    status: str  # as in the row schema, or unfinished
    curve: list[Row]  # the rows with measurements, in order of training FLOPs
    values: dict[str, float | None]

    @property
    def pair_id(self) -> int:
        return self.last["pair_id"]

    @property
    def failed(self) -> bool:
        return self.status in FAILURES

    @property
    def dead(self) -> bool:
        """Whether its routing got no gradient for half of the steps, and so learnt nothing."""
        return (self.last["routing_dead_share"] or 0.0) >= DEAD


def outcome(rows: list[Row], budget: float | None) -> Outcome:
    """Return the outcome of one trial from its rows.

    Its end is that of the latest attempt that finished, or else of the latest; its curve is made
    of all attempts. `COMPARED` metrics are interpolated at exactly the budget; the others, which
    may be zero or negative, are those of the first checkpoint that reached it, at most one step
    later. So are all where the learning rate falls: it has come to 0 at the budget, so that last
    step moves nothing, and a curve that bends is none to interpolate.
    """
    attempts: dict[int, list[Row]] = {}
    for row in rows:
        attempts.setdefault(row["attempt"] or 1, []).append(row)
    ends = {
        number: max(own, key=lambda row: (bool(row["final"]), row["step"] or 0))
        for number, own in attempts.items()
    }
    # An attempt that was cut off does not undo one that finished.
    last = ends[max(ends, key=lambda number: (_finished(ends[number]), number))]
    status = last["status"] if last["final"] else UNFINISHED
    curve = [row for row in rows if row["status"] == "ok" and row["train_flops"]]
    curve.sort(key=lambda row: row["train_flops"])
    values = _values_at(curve, budget) if status == "ok" and budget else {}
    return Outcome(last=last, status=status, curve=curve, values=values)


def _finished(last: Row) -> bool:
    return bool(last["final"]) and last["status"] in FINISHED


def _values_at(curve: list[Row], budget: float) -> dict[str, float | None]:
    reached = next((row for row in curve if row["train_flops"] >= budget * (1 - 1e-9)), {})
    errors = (METRICS[m].error_column for m in DESCRIBED if METRICS[m].error)
    values = {column: reached.get(column) for column in (*COMPARED, *DESCRIBED, *errors)}
    if curve and rate_falls(curve[0]["config_json"]):
        return values
    flops = [row["train_flops"] for row in curve]
    return values | {
        m: interpolate_log(flops, [row[m] for row in curve], budget) for m in COMPARED
    }


def rate_falls(config_json: str) -> bool:
    """Whether the learning rate falls: an earlier checkpoint is then no shorter training."""
    schedule = json.loads(config_json)["training"].get("schedule", "constant")
    return schedule != "constant"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One configuration under one source of its routing, with its trials in all splits."""

    outcomes: tuple[Outcome, ...]
    stale: bool  # whether its source of the routing is not the current one
    waiting: bool = False  # whether it is stale, and has no results of the current one yet
    required: frozenset[int] = frozenset()  # the seeds that must have finished for a rank
    control: str | None = None  # what is said of a control, which has no rank; None for all others

    @property
    def head(self) -> Row:
        """A row from which to read what all trials of the entry share."""
        return self.outcomes[0].last

    @property
    def key(self) -> tuple[str, str]:
        return self.head["config_hash"], self.head["variant_code_hash"] or ""

    @property
    def name(self) -> str:
        return "-".join(self.key)

    @property
    def label(self) -> str:
        return self.head["label"] or self.head["routing"]

    @cached_property
    def config(self) -> dict[str, Any]:
        return json.loads(self.head["config_json"])

    @cached_property
    def split(self) -> str:
        present = {o.last["split"] for o in self.outcomes}
        return next((split for split in SPLITS if split in present), SPLITS[-1])

    @cached_property
    def trials(self) -> list[Outcome]:
        """The trials of the split that the entry is judged by, in the order of pair ids."""
        return self.of(self.split)

    def of(self, split: str) -> list[Outcome]:
        chosen = (o for o in self.outcomes if o.last["split"] == split)
        return sorted(chosen, key=lambda o: o.pair_id)

    @property
    def pruned(self) -> list[Outcome]:
        """The trials by which a search stopped the entry: one, or none."""
        return [o for o in self.outcomes if o.status == "pruned"]

    @property
    def diverged(self) -> int:
        """How many seeds diverged: they would again, so no sweep runs them, and it has no rank."""
        return sum(o.status == "diverged" for o in self.trials)

    def done(self, metric: str, split: str = "") -> set[int]:
        """The seeds of a split, or of its own, that reached the budget and have the metric."""
        trials = self.of(split or self.split)
        return {o.pair_id for o in trials if o.values.get(metric) is not None}

    def complete(self, metric: str) -> bool:
        return self.required <= self.done(metric)

    def ranks(self, metric: str) -> bool:
        """Whether it may have a rank: it is current, complete, no control, no mere search."""
        may = not self.stale and self.control is None and self.split != "search"
        return may and self.complete(metric)

    def mean(self, metric: str) -> float | None:
        """The mean of the trials that reached the budget; None if one of them lacks the metric."""
        values = self._reached(metric)
        return fmean(values) if values else None

    def error(self, metric: str) -> float | None:
        """The standard error of one trial's value: the root mean square over the same trials."""
        errors = self._reached(METRICS[metric].error_column)
        return math.sqrt(fmean(e**2 for e in errors)) if errors else None

    def average(self, column: str) -> float | None:
        """The mean of a column of the last rows over trials; None where one lacks it."""
        values = [outcome.last[column] for outcome in self.trials]
        return None if not values or None in values else fmean(values)

    def _reached(self, column: str) -> list[float]:
        values = [o.values.get(column) for o in self.trials if o.values]
        return [] if None in values else values
