"""What names the trials of a sweep one by one, and hears how each ended."""

from collections.abc import Mapping
from typing import Any, Protocol

from darbench.records.trial import Trial

Row = Mapping[str, Any]


class Exhausted(Exception):
    """There is nothing left to run."""


class Proposer(Protocol):
    total: int  # trials of the sweep, those that need not run included
    skipped: int  # trials found finished so far
    declared: Mapping[str, set[int]]  # seeds that rank a configuration, by its hash

    def next(self) -> Trial | None:
        """A trial to run; None if one may come later; raises Exhausted if none will."""

    def tell(self, trial: Trial, row: Row | None) -> None:
        """The trial ended with this row; None if it was lost."""


def seeds_by_configuration(trials: list[Trial]) -> dict[str, set[int]]:
    seeds: dict[str, set[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.config_hash, set()).add(trial.pair_id)
    return seeds
