"""Comparison of one entry with another, seed by seed: baseline, log ratios, paired effects."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from darbench.analysis.effects import Effect, paired_effect
from darbench.analysis.outcomes import Entry, Outcome
from darbench.analysis.pairing import differences
from darbench.records.settings import PLAIN

BASELINE = "add"

Recipe = Mapping[str, Any]  # the identity of a trial's `training`


def baseline(entry: Entry, others: Iterable[Entry], rank_by: str) -> Entry | None:
    """The `add` entry of the same backbone that an entry is compared with; None without one.

    It has the same training where there is one, and is the first of `others` otherwise: no result
    has a part in the choice. It has finished its seeds, or at least those of the entry; only an
    entry that has not itself is compared with one that has not.

    A control is compared with the `add` of the backbone that it is a control of. One that is an
    `add` itself serves only entries that differ from it in the routing alone, or also in the
    recipe where both predict the data, which are measured otherwise.
    """
    if entry.head["routing"] == BASELINE and entry.control is None:
        return entry
    adds = [e for e in others if e.head["routing"] == BASELINE and not e.stale and e is not entry]
    adds = [e for e in adds if not entry.complete(rank_by) or _serves(e, entry, rank_by)]
    twins = [e for e in adds if _trained(e) == _trained(entry)]
    kin = [e for e in adds if entry.head["routing"] != BASELINE and _both_data(e, entry)]
    model = entry.config["model"] if entry.control is None else plain(entry.config["model"])
    adds = [e for e in adds if e.control is None and e.config["model"] == model]
    same = [e for e in adds if recipe(e) == recipe(entry)]
    return next(iter(twins or kin or same or adds), None)


def plain(model: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of the backbone of which a backbone is a control."""
    return {name: value for name, value in model.items() if name not in PLAIN}


def _trained(entry: Entry) -> tuple[Any, Any]:
    return entry.config["model"], recipe(entry)


def _serves(add: Entry, entry: Entry, metric: str) -> bool:
    return add.complete(metric) or entry.required <= add.done(metric, entry.split)


def reference(entries: Iterable[Entry], rank_by: str) -> Entry | None:
    """The entry that scores are ratios to: the first `add` that ranks, else the first entry.

    One that predicts the data, whose loss ranks with no other, is taken where there is none else.
    """
    ranking = sorted(
        (e for e in entries if e.ranks(rank_by)), key=lambda e: predicts_data(recipe(e))
    )
    adds = [e for e in ranking if e.head["routing"] == BASELINE]
    return next(iter(adds or ranking), None)


def score(entry: Entry, measure: Entry, rank_by: str) -> float | None:
    """The geometric mean ratio to `measure` over common seeds; None for an entry without a rank.

    An entry that shares no seed with it has none either, nor one that is measured otherwise.
    """
    ranks = entry.ranks(rank_by) and measured_alike(recipe(entry), recipe(measure), rank_by)
    effect = effect_against(entry, measure, rank_by) if ranks else None
    return None if effect is None else 1 + effect.mean


def measured_alike(one: Recipe, other: Recipe, metric: str) -> bool:
    """Whether a metric means the same under two recipes."""
    return metric != "val_loss" or predicts_data(one) == predicts_data(other)


def _both_data(entry: Entry, other: Entry) -> bool:
    """Whether both predict the data, on one backbone."""
    same = entry.config["model"] == other.config["model"]
    return same and predicts_data(recipe(entry)) and predicts_data(recipe(other))


def predicts_data(training: Recipe) -> bool:
    """Whether a model predicts the data, so that its loss is clipped near t = 1."""
    return training.get("objective") == "data"


def recipe(entry: Entry) -> Recipe:
    return entry.config["training"]


def log_ratios(
    ours: Mapping[int, Outcome], theirs: Mapping[int, Outcome], metric: str
) -> dict[int, float]:
    """Return log metric_ours - log metric_theirs for every whole pair, by pair id.

    A pair is whole if both trials have the metric and agree in what they were trained on.
    """
    both = {pair: (ours[pair], theirs[pair]) for pair in sorted(ours.keys() & theirs.keys())}
    whole = {p: (a, b) for p, (a, b) in both.items() if not differences(a.curve, b.curve)}
    values = {p: (a.values.get(metric), b.values.get(metric)) for p, (a, b) in whole.items()}
    return {p: math.log(a) - math.log(b) for p, (a, b) in values.items() if None not in (a, b)}


def log_differences(
    ours: Mapping[int, Outcome], theirs: Mapping[int, Outcome], metric: str
) -> list[float]:
    """Return the `log_ratios` alone."""
    return [*log_ratios(ours, theirs, metric).values()]


def effect_against(entry: Entry, other: Entry, metric: str) -> Effect | None:
    """The paired effect in the split that the entry is judged by; None without a whole pair."""
    ours, theirs = (by_pair(e.of(entry.split)) for e in (entry, other))
    return paired_effect(log_differences(ours, theirs, metric))


def judged_effect(entry: Entry, base: Entry, metric: str) -> Effect | None:
    """The paired effect with as much as may be said of it.

    Where a seed that both should have is missing, the pairs left are survivors: no interval. The p
    value is of all declared seeds, and a search, which picks what looks good, has none.
    """
    effect = effect_against(entry, base, metric)
    if effect is None:
        return None
    if not entry.complete(metric) or not _common(entry, base) <= base.done(metric, entry.split):
        return effect.bare
    judged = effect.n == len(entry.required) and entry.split != "search"
    return effect if judged else replace(effect, p_value=None)


def _common(entry: Entry, base: Entry) -> set[int]:
    """The seeds that both must have."""
    theirs = {o.pair_id for o in base.of(entry.split)}
    return entry.required & (base.required if base.split == entry.split else theirs)


def by_pair(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    return {outcome.pair_id: outcome for outcome in outcomes}
