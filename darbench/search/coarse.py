"""A proposer that looks at every ground on a few seeds, and goes on where something differs.

Seeds that chose a ground rank nothing on it. Nothing is kept: what was looked at before is read
from the ledger.
"""

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from darbench.analysis.comparison import BASELINE, measured_alike
from darbench.analysis.screening import Draws, resolved
from darbench.records.trial import Trial
from darbench.search.grid import Grid
from darbench.search.ground import Ground
from darbench.search.proposer import Declares, Proposer, Row
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration
from darbench.store import ledger

Values = dict[str, float | None]  # log of the metric that ranks by trial id; None for a failure


@dataclass(frozen=True, eq=False)
class Look:
    """A ground, and the trials of each of its configurations by coarse seed."""

    ground: Ground
    trials: list[tuple[Configuration, dict[int, Trial]]]

    @classmethod
    def at(cls, space: SearchSpace, ground: Ground) -> "Look":
        own = [
            (c, {seed: c.trial(seed, "search") for seed in space.coarse_seeds})
            for c in space.on(ground).grid()
        ]
        return cls(ground, own)

    def draws(self, values: Values) -> Iterator[Draws]:
        """Yield the log ratios of every variant to its `add`; controls are none."""
        for configuration, trials in self.trials:
            varies = configuration.control is None and configuration.variant.routing != BASELINE
            if varies and (base := self._baseline(configuration)) is not None:
                yield _log_ratios(trials, base, values)

    def _baseline(self, variant: Configuration) -> dict[int, Trial] | None:
        """The trials of the `add` of the same backbone, with the same training if there is one."""
        adds = [
            (configuration, trials)
            for configuration, trials in self.trials
            if configuration.variant.routing == BASELINE
            and configuration.control is None
            and configuration.model == variant.model
            and _measured_alike(configuration, variant)
        ]
        same = [own for c, own in adds if c.training == variant.training]
        return next(iter(same or [own for _, own in adds]), None)


class Coarse(Proposer):
    """A proposer of all grounds on the coarse seeds, then of some as a grid.

    Until the coarse trials have ended `total` counts all grounds.
    """

    def __init__(self, space: SearchSpace, rows: list[Row]):
        self.space, self._rows = space, rows
        self._looks = [Look.at(space, ground) for ground in space.grounds]
        self._declared = self._declare(left=())
        trials = self._by_seed()
        finished = ledger.finished(rows)
        ended = {k: finished.get(ledger.key(trial)) for k, trial in trials.items()}
        self._values = {k: _log(trials[k], row) for k, row in ended.items() if row is not None}
        self._queue = deque(trial for k, trial in trials.items() if ended[k] is None)
        self.coarse = len(trials)  # number of trials, without those of a grid
        self._skipped = self.coarse - len(self._queue)
        self._grid = Grid(space, rows)  # of all grounds; of those that are chosen, once they are
        self._chosen = False
        self._choose()

    @property
    def total(self) -> int:
        return self.coarse + self._grid.total

    @property
    def skipped(self) -> int:
        return self._skipped + (self._grid.skipped if self._chosen else 0)

    @property
    def declares(self) -> Declares:
        joined = Declares()
        joined.join(self._declared)
        if self._chosen:
            joined.join(self._grid.declares)
        return joined

    def next(self) -> Trial | None:
        if self._queue:
            return self._queue.popleft()
        return self._grid.next() if self._chosen else None

    def tell(self, trial: Trial, row: Row | None) -> None:
        if trial.split == "search":
            self._values[trial.id] = _log(trial, row)
            self._choose()

    def importances(self) -> dict:
        return {}

    def _choose(self) -> None:
        """Choose the grounds that go on, once all coarse trials have ended."""
        if self._chosen or len(self._values) < self.coarse:
            return
        found = resolved([[*look.draws(self._values)] for look in self._looks])
        looks = [*zip(self._looks, found, strict=True)]
        chosen = tuple(look.ground for look, differs in looks if differs)
        self._declared = self._declare(left=[look for look, differs in looks if not differs])
        self._grid = Grid(replace(self.space, grounds=chosen), self._rows)
        self._chosen = True

    def _declare(self, left: Collection[Look]) -> Declares:
        """What is declared of the coarse trials; some grounds were left at that."""
        declares = Declares()
        for look in self._looks:
            for configuration, trials in look.trials:
                own, point = [*trials.values()], look.ground.point
                declares.add(own, point, left=look in left)
                declares.control(own[0], configuration.control)
        return declares

    def _by_seed(self) -> dict[str, Trial]:
        """All coarse trials by id, those of the first seed on every ground first."""
        own = [trials for look in self._looks for _, trials in look.trials]
        return {t[seed].id: t[seed] for seed in self.space.coarse_seeds for t in own}


def _measured_alike(one: Configuration, other: Configuration) -> bool:
    recipes = one.training.identity(), other.training.identity()
    return measured_alike(*recipes, one.ground.task.rank_by)


def _log(trial: Trial, row: Row | None) -> float | None:
    value = row[trial.task.rank_by] if row is not None and row["status"] == "ok" else None
    return math.log(value) if value else None


def _log_ratios(ours: Mapping[int, Trial], theirs: Mapping[int, Trial], values: Values) -> Draws:
    """The log ratios of all seeds on which neither failed."""
    pairs = {seed: (values[ours[seed].id], values[theirs[seed].id]) for seed in ours}
    return {seed: a - b for seed, (a, b) in pairs.items() if None not in (a, b)}
