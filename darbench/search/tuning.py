"""A proposer of the tuned track: every variant tries the same points, and its best is ranked.

The points are tried on seeds that rank nothing, then the best of each variant, by its mean, on
those that do. Nothing is kept: what was tried before is read from the ledger.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from darbench.records.trial import Trial
from darbench.search.proposer import Declares, Exhausted, Proposer, Row
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration
from darbench.store import ledger


@dataclass
class Tried:
    """A variant and all that it tries; it is open until all its trials are in."""

    configurations: list[Configuration]
    trials: list[dict[str, Trial]]  # by id, on every search seed; for each configuration
    values: dict[str, float] = field(default_factory=dict)  # by trial id, inf for a failure
    open: bool = True

    @property
    def complete(self) -> bool:
        return all(key in self.values for own in self.trials for key in own)

    def best(self) -> Configuration | None:
        """The configuration of the best mean, the first of equals; None if all failed."""
        means = [sum(self.values[key] for key in own) / len(own) for own in self.trials]
        best = min(range(len(means)), key=means.__getitem__)
        return self.configurations[best] if math.isfinite(means[best]) else None


class Tuning(Proposer):
    """A proposer of a space's tuned track on its one ground.

    taken: the ids of trials that another proposer names, as those of a configuration that both
    tracks have.
    """

    def __init__(self, space: SearchSpace, rows: list[Row], taken: Collection[str]):
        self.space = space
        self.declares = Declares()
        self.skipped = 0
        self._finished = ledger.finished(rows)
        self._taken = {*taken}
        self._variants = [self._tried(own) for own in space.tuned()]
        searched = {k: t for each in self._variants for k, t in _by_seed(each)}
        self._trying: dict[str, list[Tried]] = {}  # by trial id
        for each in self._variants:
            for key, _ in _by_seed(each):
                self._trying.setdefault(key, []).append(each)
        self.total = len(searched) + len(self._variants) * len(space.seeds)
        self._queue = deque(self._to_run(searched.values()))
        for trial in searched.values():
            if (row := self._finished.get(ledger.key(trial))) is not None:
                self._note(trial, row)
        self._confirm()

    def next(self) -> Trial | None:
        if self._queue:
            return self._queue.popleft()
        if any(each.open for each in self._variants):
            return None
        raise Exhausted

    def tell(self, trial: Trial, row: Row | None) -> None:
        if trial.split == "search":
            self._note(trial, row)
            self._confirm()

    def importances(self) -> dict:
        return {}

    def _tried(self, configurations: list[Configuration]) -> Tried:
        tried = []
        for configuration in configurations:
            own = [configuration.trial(seed, "search") for seed in self.space.tune.seeds]
            self._declare(own)
            self.declares.control(own[0], configuration.control)
            tried.append({trial.id: trial for trial in own})
        return Tried(configurations, tried)

    def _note(self, trial: Trial, row: Row | None) -> None:
        value = row[trial.task.rank_by] if row is not None and row["status"] == "ok" else None
        key = trial.id
        for each in self._trying.get(key, ()):
            each.values[key] = math.inf if value is None else value

    def _confirm(self) -> None:
        """Queue the best of every variant whose trials are all in."""
        for each in self._variants:
            if each.open and each.complete:
                each.open = False
                best = each.best()
                trials = [best.trial(seed, "confirm") for seed in self.space.seeds] if best else []
                self._declare(trials)
                own = [trial for trial in trials if trial.id not in self._taken]
                self._taken.update(trial.id for trial in own)
                self.total -= len(self.space.seeds) - len(own)
                self._queue.extend(self._to_run(own))

    def _to_run(self, trials: Iterable[Trial]) -> list[Trial]:
        """The trials that have not finished; the others are counted."""
        trials = [*trials]
        left = [trial for trial in trials if ledger.key(trial) not in self._finished]
        self.skipped += len(trials) - len(left)
        return left

    def _declare(self, trials: Iterable[Trial]) -> None:
        self.declares.add(trials, self.space.ground.point, self.space.tune.names)


def _by_seed(tried: Tried) -> Iterable[tuple[str, Trial]]:
    """All trials of a variant by id, those of the first seed before those of the next."""
    return (each for own in zip(*(t.items() for t in tried.trials), strict=True) for each in own)
