"""A proposer that walks a grid seed by seed."""

from collections import deque

from darbench.records.trial import Trial
from darbench.search.proposer import Declares, Exhausted, Proposer, Row
from darbench.search.space import SearchSpace
from darbench.store import ledger


class Grid(Proposer):
    """All configurations with the first seed, then with the next, so that a board fills early."""

    def __init__(self, space: SearchSpace, rows: list[Row]):
        configurations = list(space.grid())
        self.declares = Declares()
        for configuration in configurations:
            own = [configuration.trial(seed, "confirm") for seed in space.seeds]
            self.declares.add(own, configuration.ground.point)
            self.declares.control(own[0], configuration.control)
        trials = [c.trial(seed, "confirm") for seed in space.seeds for c in configurations]
        trials = list({trial.id: trial for trial in trials}.values())
        finished = ledger.finished(rows)
        self._queue = deque(t for t in trials if ledger.key(t) not in finished)
        self.ids = {trial.id for trial in trials}
        self.total = len(trials)
        self.skipped = self.total - len(self._queue)

    def next(self) -> Trial:
        if not self._queue:
            raise Exhausted
        return self._queue.popleft()

    def tell(self, trial: Trial, row: Row | None) -> None:
        pass

    def importances(self) -> dict:
        return {}
