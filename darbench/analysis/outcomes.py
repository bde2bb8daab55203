"""The outcome of each trial and entry: status, values at exactly the budget, completeness.

An entry is one configuration under one source of its routing; its trials differ in the seed.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from statistics import fmean
from typing import Any

from darbench.analysis.effects import interpolate_log
from darbench.records.metric import COMPARED, DESCRIBED, METRICS
from darbench.records.schema import is_outdated
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

    def _reached(self, column: str) -> list[float]:
        values = [o.values.get(column) for o in self.trials if o.values]
        return [] if None in values else values


def entries(
    rows: Iterable[Row],
    budget: float | None,
    sources: Mapping[str, str],
    seeds: Mapping[str, Collection[int]] | None = None,
    controls: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Return the entries of one section, in the order in which sweeps declared them.

    Of one configuration the oldest source comes first; a source hash of an older form is older
    than any other, whenever its trials ran.

    sources: the current code hash by routing. Of a routing that is not among them the source of
    the newest results counts as current, unless its hash is of an older form.
    seeds: what sweeps declared, by configuration hash. Configurations without come last, in the
    order of their first rows.
    controls: what is said of each control, by configuration hash.
    """

    def trial(row: Row) -> tuple:
        return row["config_hash"], row["variant_code_hash"] or "", row["split"], row["trial_id"]

    grouped: dict[str, dict[str, list[list[Row]]]] = {}
    for (config, code, _, _), group in groupby(sorted(rows, key=trial), key=trial):
        grouped.setdefault(config, {}).setdefault(code, []).append(list(group))
    current, made = {**_newest(grouped), **sources}, []
    for by_code in grouped.values():
        for code, trials in sorted(by_code.items(), key=lambda each: _age(each[1])):
            outcomes = tuple(outcome(group, budget) for group in trials)
            head = outcomes[0].last
            stale = code != current[head["routing"]] or is_outdated(head)
            waiting = stale and current[head["routing"]] not in by_code
            control = (controls or {}).get(head["config_hash"])
            made.append(Entry(outcomes=outcomes, stale=stale, waiting=waiting, control=control))
    return _requiring(_in_order(made, seeds or {}), seeds or {})


def _newest(grouped: Mapping[str, Mapping[str, list[list[Row]]]]) -> dict[str, str]:
    """The source of the newest results by routing."""
    found = [
        (_age(trials), trials[0][0]["routing"], code)
        for by_code in grouped.values()
        for code, trials in by_code.items()
    ]
    return {routing: code for _, routing, code in sorted(found)}


def _in_order(made: list[Entry], seeds: Mapping[str, Collection[int]]) -> list[Entry]:
    """No result has a part in the order, for it decides which `add` others are compared with."""
    places = {config: place for place, config in enumerate(seeds)}
    first: dict[str, str] = {}
    for entry in made:
        config, stamps = entry.key[0], [o.last["created_utc"] or "" for o in entry.outcomes]
        first[config] = min([*stamps, *filter(None, [first.get(config)])])
    return sorted(made, key=lambda e: (places.get(e.key[0], len(places)), first[e.key[0]]))


def _requiring(made: list[Entry], seeds: Mapping[str, Collection[int]]) -> list[Entry]:
    """Give each entry the seeds that rank it: those that its sweeps declared, and those it has.

    Of rows without declarations, as of a table alone, all entries must have what one of them has.
    A search draws its own seeds, and ranks nothing.
    """
    common: dict[str, set[int]] = {}
    for entry in made:
        if not entry.stale and entry.key[0] not in seeds:
            common.setdefault(entry.split, set()).update(o.pair_id for o in entry.trials)
    required = []
    for entry in made:
        wanted = seeds.get(entry.key[0], common.get(entry.split, ()))
        own = {o.pair_id for o in entry.trials}
        required.append(own if entry.split == "search" else own.union(wanted))
    return [replace(e, required=frozenset(r)) for e, r in zip(made, required, strict=True)]


def _age(trials: list[list[Row]]) -> tuple[bool, str]:
    """A sort key of the trials of one source, larger for newer ones."""
    newest = max(row["created_utc"] or "" for group in trials for row in group)
    return not is_outdated(trials[0][0]), newest
