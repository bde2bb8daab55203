"""The check that trials of one pair id really shared all random numbers, by their rows' audits.

Variants cost different FLOPs, so their checkpoints lie at different steps: training data are
compared wherever two rows were hashed up to the same step. An audit that one of the trials lacks
is passed over.
"""

import json
from collections.abc import Collection
from typing import Any

from darbench.analysis.outcomes import Entry, Outcome, Row

_RUNNING = {"audit_data": "data order differs", "audit_noise": "noise or times differ"}
_FIXED = {"audit_init": "initial values differ", "audit_generation": "generation noise differs"}


def broken_pairs(entry: Entry, base: Entry) -> dict[int, list[str]]:
    """What differs, by pair id, for the pairs in the entry's split that are none."""
    reasons = {
        pair: differences(ours.curve, theirs.curve)
        for pair, (ours, theirs) in _pairs(entry, base).items()
    }
    return {pair: texts for pair, texts in reasons.items() if texts}


def differences(one: list[Row], two: list[Row]) -> list[str]:
    """Return what two trials of one pair id did not share, by their rows.

    Backbones of different form have different initial values and may be compared all the same.
    """
    texts, ours, theirs = _RUNNING | _FIXED, audits(one), audits(two)
    if _models(one) != _models(two):
        del texts["audit_init"]
    found = [text for name, text in texts.items() if _differ(ours[name], theirs[name])]
    apart = unsettled(one) or unsettled(two)
    return [*found, "attempts of one trial drew different numbers"] if apart else found


def audits(rows: list[Row]) -> dict[str, dict[int | None, set[str]]]:
    """What a trial must have in common with its pair: hashes by audit and the step they reach."""
    return {name: _audits(rows, name) for name in _RUNNING | _FIXED}


def unsettled(rows: list[Row]) -> bool:
    """Whether attempts of one trial drew different numbers."""
    return _disagrees(rows, "audit_draws")


def _disagrees(rows: list[Row], name: str) -> bool:
    """Whether attempts of one trial differ; what a routing draws is compared with no other's."""
    return any(len(hashes) > 1 for hashes in _audits(rows, name).values())


def _models(rows: list[Row]) -> list[dict[str, Any]]:
    return [json.loads(row["config_json"])["model"] for row in rows[:1]]


def pairing_mark(entry: Entry, base: Entry) -> str:
    """The mark on an entry of which pairs are left out; empty where all are whole."""
    broken = broken_pairs(entry, base)
    if not broken:
        return ""
    reasons = dict.fromkeys(reason for pair in sorted(broken) for reason in broken[pair])
    name, seeds = base.head["routing"], _in_seeds(broken, entry, base)
    return f"not paired with {name}{seeds}: {', '.join(reasons)}"


def arithmetic_mark(entry: Entry, base: Entry) -> str:
    """The mark on an entry whose pairs were computed by different kernels; empty without any.

    Their numbers differ by rounding, so they are compared all the same.
    """
    pairs = _pairs(entry, base).items()
    differ = [pair for pair, (one, two) in pairs if other_kernels(one.curve, two.curve)]
    if not differ:
        return ""
    return f"other kernels than {base.head['routing']}{_in_seeds(differ, entry, base)}"


def other_kernels(one: list[Row], two: list[Row]) -> bool:
    """Whether different kernels computed two trials, by their rows; unknown ones differ in none.

    A trial has one version of the kernels, unless its attempts differ.
    """
    ours, theirs = (
        {row["arithmetic"] for row in rows if row["arithmetic"] is not None} for rows in (one, two)
    )
    return bool(ours and theirs) and ours != theirs


def _in_seeds(pairs: Collection[int], entry: Entry, base: Entry) -> str:
    """A text such as ` in seed 0, 2`; empty where those are all pairs of the two."""
    whole = set(pairs) == _pairs(entry, base).keys()
    return "" if whole else f" in seed {', '.join(map(str, sorted(pairs)))}"


def _pairs(entry: Entry, base: Entry) -> dict[int, tuple[Outcome, Outcome]]:
    others = {o.pair_id: o for o in base.of(entry.split)}
    return {o.pair_id: (o, others[o.pair_id]) for o in entry.trials if o.pair_id in others}


def _audits(rows: list[Row], name: str) -> dict[int | None, set[str]]:
    """The audits of that name by the step they reach; more than one where attempts disagree."""
    hashes: dict[int | None, set[str]] = {}
    for row in rows:
        if row[name] is not None:
            step = row["audit_step"] if name in (*_RUNNING, "audit_draws") else None
            hashes.setdefault(step, set()).add(row[name])
    return hashes


def _differ(one: dict[int | None, set[str]], two: dict[int | None, set[str]]) -> bool:
    return any(one[step] != two[step] for step in one.keys() & two.keys())
