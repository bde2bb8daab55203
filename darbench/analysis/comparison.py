"""Comparison of one entry with another, seed by seed: baseline, log ratios, paired effects."""

import math
from collections.abc import Iterable, Mapping

from darbench.analysis.effects import Effect, paired_effect
from darbench.analysis.outcomes import Entry, Outcome
from darbench.analysis.pairing import differences

BASELINE = "add"


def baseline(entry: Entry, others: Iterable[Entry], rank_by: str) -> Entry | None:
    """The `add` entry of the same backbone that an entry is compared with.

    It has the same training where there is one, and is the strongest otherwise.
    """
    if entry.head["routing"] == BASELINE:
        return entry
    adds = [e for e in others if e.head["routing"] == BASELINE and not e.stale]
    adds = [e for e in adds if e.config["model"] == entry.config["model"]]
    same = [e for e in adds if e.config["training"] == entry.config["training"]]
    return min(same or adds, key=lambda e: e.mean(rank_by) or math.inf, default=None)


def log_differences(
    ours: Mapping[int, Outcome], theirs: Mapping[int, Outcome], metric: str
) -> list[float]:
    """Return log metric_ours - log metric_theirs for every whole pair.

    A pair is whole if both trials have the metric and agree in what they were trained on.
    """
    both = ((ours[pair], theirs[pair]) for pair in sorted(ours.keys() & theirs.keys()))
    whole = ((a, b) for a, b in both if not differences(a.curve, b.curve))
    values = [(a.values.get(metric), b.values.get(metric)) for a, b in whole]
    return [math.log(a) - math.log(b) for a, b in values if a is not None and b is not None]


def effect_against(entry: Entry, other: Entry, metric: str) -> Effect | None:
    """The paired effect in the split that the entry is judged by; None without a whole pair."""
    ours, theirs = (by_pair(e.of(entry.split)) for e in (entry, other))
    return paired_effect(log_differences(ours, theirs, metric))


def by_pair(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    return {outcome.pair_id: outcome for outcome in outcomes}
