"""The choice of a proposer: a grid that is walked, coarsely first or then tuned, or a study.

Its state is not kept on disk: what ran before is read from the ledger.
"""

from collections.abc import Iterable, Mapping, Sequence

from darbench.search import seeds
from darbench.search.chain import Chain
from darbench.search.coarse import Coarse
from darbench.search.grid import Grid
from darbench.search.proposer import Proposer, Row
from darbench.search.space import SearchSpace
from darbench.search.tuning import Tuning
from darbench.store.verdicts import Verdicts


def proposer(
    space: SearchSpace,
    rows: list[Row],
    declared: Mapping[str, Iterable[int]] = seeds.NOTHING,
    verdicts: Verdicts | None = None,
    others: Sequence[Row] = (),
) -> Proposer:
    """Return the proposer for a space, given the rows in its ledger and the seeds it declared.

    verdicts: of its pruner, to which its new ones are added. others: rows of another search, from
    which one that adapts learns first.
    BadInput if its seeds would pick and rank the same configurations.
    """
    seeds.need_fresh(space, rows, declared)
    if space.coarse_seeds:
        return Coarse(space, rows)
    if space.sampler == "grid":
        grid = Grid(space, rows)
        tunings = [Tuning(space.on(g), rows, grid.ids) for g in space.grounds if space.tune]
        return Chain([grid, *tunings]) if tunings else grid
    from darbench.search.study import Study  # imports Optuna, which a grid does not need

    studies = [Study(space.on(ground), rows, verdicts, others) for ground in space.grounds]
    return studies[0] if len(studies) == 1 else Chain(studies)
