"""What the tuned track of a section tried: every point of every variant, and what it cost."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from darbench.analysis.outcomes import Entry
from darbench.records.canonical import canonical_json
from darbench.records.setting import identity_defaults
from darbench.records.settings import Training

SPLIT = "search"
FEW = 3  # of fewer values every one lies at an edge


@dataclass(frozen=True, kw_only=True)
class TriedPoint:
    """A configuration that a variant tried."""

    label: str
    mean: float | None  # of the metric that ranks, over the seeds; None where one has none
    seeds: int
    picked: bool


@dataclass(frozen=True, kw_only=True)
class TuningCost:
    """All that was tried, and its cost for a variant, the least and the most."""

    tried: tuple[TriedPoint, ...]  # variant by variant, each one's best first
    trials: tuple[int, int]
    cost: tuple[float, float]  # training FLOPs, in budgets: one is that of a ranked trial
    edges: Mapping[str, str]  # what is to be known of a picked value, by configuration hash


def tuning(
    entries: Iterable[Entry], settings: Collection[str], metric: str, budget: float | None
) -> TuningCost:
    """Return what a section's entries tried of tuned settings, by dotted name."""
    variants: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.of(SPLIT) and not entry.stale:
            variants.setdefault(variant(entry, settings), []).append(entry)
    trials = [sum(len(e.of(SPLIT)) for e in own) for own in variants.values()] or [0]
    flops = [sum(_flops(e) for e in own) / (budget or 1.0) for own in variants.values()] or [0.0]
    ordered = [each for own in variants.values() for each in _best_first(own, metric)]
    return TuningCost(
        tried=tuple(ordered),
        trials=(min(trials), max(trials)),
        cost=(min(flops), max(flops)),
        edges={
            entry.key[0]: ", ".join(texts)
            for own in variants.values()
            for entry in own
            if _picked(entry) and (texts := [*_edges(entry, own, settings)])
        },
    )


def variant(entry: Entry, settings: Collection[str]) -> str:
    """What configurations of one variant share: all but the tuned settings."""
    parts = {part: _values(entry, part) for part in ("params", "model", "training")}
    for name in settings:
        part, _, key = name.partition(".")
        parts[part].pop(key, None)
    return canonical_json([entry.head["routing"], parts])


def _best_first(own: list[Entry], metric: str) -> list[TriedPoint]:
    tried = [
        TriedPoint(
            label=entry.label,
            mean=_mean(entry, metric),
            seeds=len(entry.of(SPLIT)),
            picked=_picked(entry),
        )
        for entry in own
    ]
    return sorted(tried, key=lambda each: (each.mean is None, each.mean or 0.0))


def _mean(entry: Entry, metric: str) -> float | None:
    values = [outcome.values.get(metric) for outcome in entry.of(SPLIT)]
    return None if None in values else fmean(values)


def _flops(entry: Entry) -> float:
    return sum(outcome.last["train_flops"] or 0.0 for outcome in entry.of(SPLIT))


def _picked(entry: Entry) -> bool:
    return entry.split != SPLIT


def _edges(entry: Entry, own: Iterable[Entry], settings: Collection[str]) -> Iterator[str]:
    """A text for every number of an entry that is the least or the most of those tried."""
    for name in settings:
        part, _, key = name.partition(".")
        tried = {_values(each, part).get(key) for each in own}
        value = _values(entry, part).get(key)
        numbers = all(type(each) in (int, float) for each in tried)
        if numbers and len(tried) >= FEW and value in (min(tried), max(tried)):
            yield f"{name}={value} is at the edge of what was tried"


def _values(entry: Entry, part: str) -> dict[str, Any]:
    """The settings of a part, those too that an identity leaves out."""
    usual = identity_defaults(Training) if part == "training" else {}
    return usual | entry.config[part]
