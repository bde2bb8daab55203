"""One entry against `add`: its baseline, the paired effects, the overheads."""

import math
from dataclasses import fields
from statistics import median
from typing import Any

from darbench.analysis.effects import Effect, paired_effect
from darbench.analysis.outcomes import COMPARED, DESCRIBED, Entry
from darbench.analysis.pairing import broken_pairs, pairing_mark

BASELINE = "add"
_SHARED = ("config_json", "params_json", "config_hash", "variant_code_hash")


def describe(entry: Entry, found: list[Entry], declared: set[int], rank_by: str) -> dict[str, Any]:
    """The entry's row of the leaderboard, before ranks, tiers and Holm's correction.

    `declared` are the seeds it must have finished to get a score.
    """
    base = baseline(entry, found, rank_by)
    done = [o.pair_id for o in entry.trials if o.values.get(rank_by) is not None]
    wanted = declared | {o.pair_id for o in entry.trials}
    ranked = set(done) == wanted and not entry.stale and entry.split != "search"
    head = entry.head
    row = {
        "entry": "-".join(entry.key),
        "label": head["label"] or head["routing"],
        "routing": head["routing"],
        "baseline": base is entry,
        "mark": _mark(entry, base, len(done), len(wanted)),
        "stale": entry.stale,
        "split": entry.split,
        "seeds": len(done),
        "seeds_declared": len(wanted),
        "failures": sum(o.failed for o in entry.trials),
        "trials": len(entry.trials),
        "score": entry.mean(rank_by) if ranked else None,
    }
    row |= {metric: entry.mean(metric) for metric in COMPARED + DESCRIBED}
    for metric in COMPARED:
        row |= _effect_columns(metric, _effect(entry, base, metric))
    for column in ("flops_routing_share", "params_total", "params_routing", "step_ms_p50"):
        row[column] = _typical(entry, column)
    row["step_time_ratio"] = _step_time_ratio(entry, base)
    return row | {column: head[column] for column in _SHARED}


def _mark(entry: Entry, base: Entry | None, done: int, wanted: int) -> str:
    marks = []
    if entry.stale:
        marks.append("stale: the routing's source has changed since")
    if entry.split != "confirm":
        marks.append("search only" if entry.split == "search" else entry.split)
    if done < wanted:
        marks.append(f"incomplete {done}/{wanted}")
    if base is not None:
        marks += filter(None, [pairing_mark(entry, base)])
    return ", ".join(marks)


def baseline(entry: Entry, found: list[Entry], rank_by: str) -> Entry | None:
    """The `add` entry of the same backbone: with the same training, or else the strongest."""
    if entry.head["routing"] == BASELINE:
        return entry
    adds = [e for e in found if e.head["routing"] == BASELINE and not e.stale]
    adds = [e for e in adds if e.config["model"] == entry.config["model"]]
    same = [e for e in adds if e.config["training"] == entry.config["training"]]
    return min(same or adds, key=lambda e: e.mean(rank_by) or math.inf, default=None)


def log_differences(entry: Entry, base: Entry, metric: str) -> list[float]:
    """log metric_entry - log metric_base at the budget, for every pair id that both have and in
    which both saw the same."""
    ours, theirs = entry.values(metric, entry.split), base.values(metric, entry.split)
    pairs = (ours.keys() & theirs.keys()) - broken_pairs(entry, base).keys()
    return [math.log(ours[pair]) - math.log(theirs[pair]) for pair in sorted(pairs)]


def _effect(entry: Entry, base: Entry | None, metric: str) -> Effect | None:
    if base is None or base is entry:
        return None
    return paired_effect(log_differences(entry, base, metric))


def _effect_columns(metric: str, effect: Effect | None) -> dict[str, Any]:
    values = {f.name: getattr(effect, f.name, None) for f in fields(Effect)}
    return {
        f"{metric}_effect": values["mean"],
        f"{metric}_low": values["low"],
        f"{metric}_high": values["high"],
        f"{metric}_n": values["n"],
        f"{metric}_p": values["p_value"],
    }


def _typical(entry: Entry, column: str) -> float | None:
    """Median over the trials that know it; only wall times differ between the trials."""
    known = [o.last[column] for o in entry.trials if o.last[column] is not None]
    return median(known) if known else None


def _step_time_ratio(entry: Entry, base: Entry | None) -> float | None:
    """Median over the pairs that ran on the same hardware class with as many threads."""
    if base is None:
        return None
    theirs = {_machine(o.last): o.last["step_ms_p50"] for o in base.of(entry.split)}
    ratios = [
        o.last["step_ms_p50"] / theirs[_machine(o.last)]
        for o in entry.trials
        if o.last["step_ms_p50"] and theirs.get(_machine(o.last))
    ]
    return median(ratios) if ratios else None


def _machine(row: dict[str, Any]) -> tuple:
    return row["pair_id"], row["device"], row["hw_class"], row["threads"]
