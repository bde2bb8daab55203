"""The choice of a proposer: a grid that is walked seed by seed, then tuned, or a study.

Its state is not kept on disk: what ran before is read from the ledger.
"""

from collections import deque
from collections.abc import Iterable, Mapping

from darbench.records.trial import Trial
from darbench.search import seeds
from darbench.search.chain import Chain
from darbench.search.proposer import Declares, Exhausted, Proposer, Row
from darbench.search.space import SearchSpace
from darbench.search.tuning import Tuning
from darbench.store import ledger


def proposer(
    space: SearchSpace, rows: list[Row], declared: Mapping[str, Iterable[int]] = seeds.NOTHING
) -> Proposer:
    """Return the proposer for a space, given the rows in its ledger and the seeds it declared.

    BadInput if its seeds would pick and rank the same configurations.
    """
    seeds.need_fresh(space, rows, declared)
    if space.sampler == "grid":
        grid = Grid(space, rows)
        tunings = [Tuning(space.on(g), rows, grid.ids) for g in space.grounds if space.tune]
        return Chain([grid, *tunings]) if tunings else grid
    from darbench.search.study import Study  # imports Optuna, which a grid does not need

    studies = [Study(space.on(ground), rows) for ground in space.grounds]
    return studies[0] if len(studies) == 1 else Chain(studies)


class Grid:
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
