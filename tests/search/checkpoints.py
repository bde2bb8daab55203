"""Searches whose trials write rows of several checkpoints, with as many under way as workers."""

import random
from collections.abc import Iterator

from darbench.search.proposer import Exhausted
from tests.make.rows import row_of
from tests.search.drive import objective

BUDGET = 1e9  # training FLOPs, in 100 steps
PRUNED = """
sampler: random
trials: 24
seeds: [0, 1, 2]
confirm: {top: 0}
training: {checkpoints: [0.25, 0.5, 1.0]}
variants:
  - {routing: add}
  - {routing: dar, params: {query: [static, dynamic], lr_mult: {low: 0.1, high: 10, log: true}}}
  - {routing: hyper, params: {streams: {low: 1, high: 8}}}
"""
MARKS = (0.25, 0.5, 1.0)


def checkpoint(trial, mark: float, value=objective) -> dict:
    """The row of a checkpoint, all of one second: the loss falls as a trial goes on."""
    return row_of(
        trial,
        step=round(100 * mark),
        final=mark == 1.0,
        val_loss=value(trial) * mark**-0.2,
        train_flops=BUDGET * mark,
        budget_flops=BUDGET,
    )


def stop(trial, why: str, step: int = 0) -> dict:
    return row_of(trial, step=step, status="pruned", error=why)


class Run:
    """A search under way: `step` has one trial of those running, by lot, reach its next row."""

    def __init__(self, proposing, rows: list[dict], *, workers: int = 3, lot: int = 0):
        self.proposing, self.rows, self.lot = proposing, rows, random.Random(lot)
        self.workers, self.running = workers, {}  # by id: a trial, and what it is still to reach

    def step(self) -> bool:
        """Whether anything was left to do."""
        self._fill()
        if not self.running:
            return False
        trial, reached = self.lot.choice([*self.running.values()])
        row = next(reached)
        self.rows.append(row)
        if row["final"]:
            del self.running[trial.id]
            self.proposing.tell(trial, row)
        else:
            self.proposing.heard(trial, row)
        return True

    def all(self) -> list[dict]:
        while self.step():
            pass
        return self.rows

    def _fill(self) -> None:
        while len(self.running) < self.workers:
            try:
                trial = self.proposing.next()
            except Exhausted:
                return
            if trial is None:
                return
            self.running[trial.id] = trial, self._reached(trial)

    def _reached(self, trial) -> Iterator[dict]:
        last = 0
        for mark in MARKS:
            if why := self.proposing.pruned(trial):
                yield stop(trial, why, last)
                return
            yield checkpoint(trial, mark)
            last = round(100 * mark)
