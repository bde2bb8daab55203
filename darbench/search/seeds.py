"""The seeds of a sweep: those that pick a winner never rank it, whichever sweep came first.

A trial is its configuration and its seed: run again it gives the same number, so a winner that was
picked for its luck keeps it on the seeds that picked it.
"""

from collections.abc import Iterable, Mapping, Set
from itertools import count, islice
from types import MappingProxyType
from typing import Any

from darbench.errors import BadInput
from darbench.search.space import SearchSpace

GRID_SEEDS = (0, 1, 2, 3, 4)  # the defaults, none of which is in two of them
SEARCH_SEEDS = (1000, 1001, 1002)
CONFIRM_SEEDS = (100, 101, 102, 103, 104)
TUNE_SEEDS = (2000, 2001)
BASELINE = "add"  # the one routing that no search can favour: all others are compared with it

Row = Mapping[str, Any]
NOTHING: Mapping[str, Iterable[int]] = MappingProxyType({})


def default_seeds(sampler: str) -> list[int]:
    """Return the seeds of a space that names none."""
    return [*(GRID_SEEDS if sampler == "grid" else SEARCH_SEEDS)]


def need_fresh(
    space: SearchSpace, rows: Iterable[Row], declared: Mapping[str, Iterable[int]] = NOTHING
) -> None:
    """Raise BadInput if a sweep would search on seeds that rank, or rank on seeds that searched.

    rows: the leaderboard's. declared: the seeds on which its sweeps rank a configuration, by its
    hash, whether it has rows yet or not. What ran on other tasks counts for nothing, and of
    searches only those that could favour a routing of this space.
    """
    tasks = {ground.task.name for ground in space.grounds}
    elsewhere = {row["config_hash"] for row in rows if row["task"] not in tasks}
    rows = [row for row in rows if row["config_hash"] not in elsewhere]
    picked = {row["pair_id"] for row in rows if row["split"] == "search" and _favours(row, space)}
    ranked = {row["pair_id"] for row in rows if row["split"] == "confirm"}
    ranked |= {s for key, seeds in declared.items() if key not in elsewhere for s in seeds}
    if space.tune:
        taken = ranked | {*space.seeds}
        _refuse_to_search("tune.seeds", space.tune.seeds, ranked, taken)
    if space.coarse_seeds:
        taken = ranked | {*space.seeds}
        _refuse_to_search("coarse.seeds", space.coarse_seeds, ranked, taken)
    if space.sampler == "grid":
        taken = {*space.tune.seeds, *space.coarse_seeds}
        return _refuse_to_rank("seeds", space.seeds, picked, taken)
    _refuse_to_search("seeds", space.seeds, ranked, taken=ranked | {*space.confirm_seeds})
    if space.confirm_top:
        _refuse_to_rank("confirm.seeds", space.confirm_seeds, picked, taken={*space.seeds})


def _favours(row: Row, space: SearchSpace) -> bool:
    """Whether a trial of a search could make a routing of the space look better than it is.

    The baseline only where it is tuned like all others.
    """
    own = {entry.signature.name for entry in space.entries}
    return row["routing"] in (own if space.tune else own - {BASELINE})


def _refuse_to_rank(
    key: str, seeds: Iterable[int], picked: set[int], taken: Set[int] = frozenset()
) -> None:
    if used := sorted(picked.intersection(seeds)):
        raise BadInput(
            f"{key}: a search of these routings ran on {used} in this leaderboard, and seeds that "
            f"picked a winner never rank it; rank on others, {_others(key, seeds, picked | taken)}"
        )


def _refuse_to_search(key: str, seeds: Iterable[int], ranked: set[int], taken: Set[int]) -> None:
    if used := sorted(ranked.intersection(seeds)):
        raise BadInput(
            f"{key} {used} rank entries of this leaderboard already, and seeds that pick a "
            f"winner never rank it; search on others, {_others(key, seeds, taken)}, or under "
            "another name=..."
        )


def _others(key: str, seeds: Iterable[int], taken: Set[int]) -> str:
    """As many seeds that are free, as an override."""
    free = islice((seed for seed in count() if seed not in taken), len([*seeds]))
    return f"{key}=[{','.join(map(str, free))}]"
