"""The interface of a proposer, which names the trials of a sweep one by one."""

from collections.abc import Mapping
from typing import Any, Protocol

from darbench.records.trial import Trial

Row = Mapping[str, Any]


class Exhausted(Exception):
    """There is no trial left to run."""


class Proposer(Protocol):
    total: int  # number of trials in the sweep, with those that need not run
    skipped: int  # how many of them had finished before
    declared: Mapping[str, set[int]]  # seeds that rank a configuration, by its hash

    def next(self) -> Trial | None:
        """Return a trial to run, or None if one may come later; raise Exhausted if none will."""

    def tell(self, trial: Trial, row: Row | None) -> None:
        """Note that a trial ended with this row; None if it was lost."""


def seeds_by_configuration(trials: list[Trial]) -> dict[str, set[int]]:
    seeds: dict[str, set[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.config_hash, set()).add(trial.pair_id)
    return seeds
