"""The history of an entry's rank: versions of its source before it, and fewer seeds before.

Whoever edits a routing until it wins, or adds seeds until a difference shows, wins by chance more
often than a p value says. Versions count in the correction; of both the board tells.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from darbench.analysis.outcomes import Entry


@dataclass(frozen=True, kw_only=True)
class History:
    versions: int = 0  # other sources of its routing, on its model and training, that had results
    first_ranked: int | None = None  # with how many seeds; None if it never was
    looks: int = 0  # how often it was ranked again with more seeds

    @property
    def marks(self) -> list[str]:
        """What the entry's row says; nothing where all was seen once."""
        told = []
        if self.versions:
            told.append(f"{self.versions} earlier version{'s' * (self.versions > 1)}")
        if self.looks:
            times = "once" if self.looks == 1 else f"{self.looks} times"
            told.append(f"first ranked at {self.first_ranked} seeds, looked at again {times}")
        return told


def history(
    entry: Entry, present: Iterable[Entry], earlier: Mapping[str, list[int]], rank_by: str
) -> History:
    """Return the history of an entry among those present.

    earlier: the seeds that it had to have until a sweep declared more, by the time of that.
    """
    if entry.stale or entry.split == "search":
        return History()
    sources = {e.key[1] for e in present if e.split != "search" and _of(e) == _of(entry)}
    counts = [len(seeds) for when, seeds in sorted(earlier.items()) if _had(entry, seeds, when)]
    counts += [len(entry.required)] * entry.complete(rank_by)
    return History(
        versions=len(sources - {entry.key[1]}),
        first_ranked=counts[0] if counts else None,
        looks=max(0, len(counts) - 1),
    )


def _of(entry: Entry) -> tuple:
    """What versions share, whatever their parameters: an edit may add one, or move a default."""
    return entry.head["routing"], entry.config["model"], entry.config["training"]


def _had(entry: Entry, seeds: Iterable[int], when: str) -> bool:
    """Whether all those seeds had reached the budget by then."""
    stamps = {o.pair_id: o.last["created_utc"] or "" for o in entry.trials if o.values}
    return all(stamps.get(seed, "~") <= when for seed in seeds)  # "~" is after every time
