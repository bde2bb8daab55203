"""The marks on an entry of a board: warnings about it, in words."""

from collections.abc import Collection, Iterator
from typing import Any

from darbench.analysis.comparison import predicts_data, recipe
from darbench.analysis.outcomes import Entry
from darbench.analysis.pairing import arithmetic_mark, pairing_mark
from darbench.records.metric import METRICS
from darbench.records.schema import is_outdated


def marks(entry: Entry, base: Entry | None, rank_by: str, tuned: Collection[str]) -> list[str]:
    """Return what is to be known of an entry, and of its comparison with a baseline.

    In settings that are `tuned` the two may differ.
    """
    found = [*_kinds(entry), _missing(entry, rank_by), _dead(entry)]
    if base is not None and _training(base, tuned) != _training(entry, tuned):
        found.append(f"{base.head['routing']} has another training")
    if predicts_data(recipe(entry)):
        found.append("loss clipped near t = 1")
    if base is not None and base is not entry:
        found += [pairing_mark(entry, base), arithmetic_mark(entry, base)]
    return [*filter(None, found)]


def joined(*texts: str | None) -> str:
    """Return marks as one, without those that are empty."""
    return ", ".join(filter(None, texts))


def _kinds(entry: Entry) -> Iterator[str]:
    """Yield what an entry is that is not ranked like the others."""
    if entry.control is not None:
        yield f"control: {entry.control}" if entry.control else "control"
    if entry.stale:
        changed = "the routing's source has changed since"
        changed += ", and it has not run again yet" * entry.waiting
        yield f"stale: {'of an older source hash' if is_outdated(entry.head) else changed}"
    if entry.split != "confirm":
        yield "search only" if entry.split == "search" else entry.split


def _training(entry: Entry, tuned: Collection[str]) -> dict[str, Any]:
    """The entry's training, but for what is tuned."""
    return {k: v for k, v in entry.config["training"].items() if f"training.{k}" not in tuned}


def _missing(entry: Entry, rank_by: str) -> str:
    """What keeps the entry from a rank: first what no sweep will mend."""
    wanted, done = len(entry.required), len(entry.done(rank_by))
    ended = sum(o.status == "ok" for o in entry.trials)
    if entry.split == "search" and entry.pruned:
        return entry.pruned[0].last["error"] or "pruned"
    if entry.diverged:
        return f"diverged {entry.diverged} of {wanted}"
    if ended > done:
        return f"no {METRICS[rank_by].title} in {ended - done} of {wanted}"
    return f"incomplete {done}/{wanted}" if done < wanted else ""


def _dead(entry: Entry) -> str:
    """The mark on an entry of which routers died; a softmax that saturates is a usual cause."""
    seeds = [str(o.pair_id) for o in entry.trials if o.dead]
    if not seeds:
        return ""
    every = len(seeds) == len(entry.trials)
    return "dead router in " + ("every seed" if every else f"seed {', '.join(seeds)}")
