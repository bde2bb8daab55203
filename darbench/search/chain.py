"""A proposer made of others: each gives way to the next while it waits, and once it has ended."""

from collections.abc import Sequence

from darbench.records.trial import Trial
from darbench.search.proposer import Declares, Exhausted, Proposer, Row
from darbench.store.importances import Importance


class Chain(Proposer):
    """Proposers one after another; none may need what one after it finds."""

    def __init__(self, proposers: Sequence[Proposer]):
        self.proposers = proposers

    @property
    def total(self) -> int:
        return sum(each.total for each in self.proposers)

    @property
    def skipped(self) -> int:
        return sum(each.skipped for each in self.proposers)

    @property
    def declares(self) -> Declares:
        joined = Declares()
        for each in self.proposers:
            joined.join(each.declares)
        return joined

    def next(self) -> Trial | None:
        waiting = False
        for each in self.proposers:
            try:
                trial = each.next()
            except Exhausted:
                continue
            if trial is not None:
                return trial
            waiting = True
        if waiting:
            return None
        raise Exhausted

    def tell(self, trial: Trial, row: Row | None) -> None:
        for each in self.proposers:
            each.tell(trial, row)

    def heard(self, trial: Trial, row: Row) -> None:
        for each in self.proposers:
            each.heard(trial, row)

    def pruned(self, trial: Trial) -> str:
        return next(filter(None, (each.pruned(trial) for each in self.proposers)), "")

    def importances(self) -> dict[str, Sequence[Importance]]:
        return {key: own for each in self.proposers for key, own in each.importances().items()}
