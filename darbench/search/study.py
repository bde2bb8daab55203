"""An Optuna study, which draws configurations and learns from their results.

It is given a configuration's result once all its seeds have ended, or it was pruned. The study is
rebuilt from the ledger, and what a pruner said from the verdicts beside it.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from darbench.records.trial import Trial
from darbench.search.domains import Choices, Domain
from darbench.search.drawn import Drawn
from darbench.search.halton import points
from darbench.search.importance import importances
from darbench.search.judge import Judge
from darbench.search.locate import locate
from darbench.search.objectives import front
from darbench.search.proposer import Declares, Exhausted, Proposer, Row
from darbench.search.samplers import EVOLVING, FIXED, drawable, sampler
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration
from darbench.search.warm_start import learnt
from darbench.store import ledger
from darbench.store.importances import Importance, point_key
from darbench.store.verdicts import Verdicts

MOST_DRAWS = 100  # after so many repeats of its own in a row, no configuration is left


class Study(Proposer):
    """A proposer of Optuna's configurations on search seeds, then the best on fresh seeds.

    The space has one ground. verdicts: of its pruner, where it has one, and those of other spaces.
    others: the rows of another search, from which it learns first.
    """

    def __init__(
        self,
        space: SearchSpace,
        rows: list[Row],
        verdicts: Verdicts | None = None,
        others: Sequence[Row] = (),
    ):
        self.space = space
        self._drawing = replace(space, entries=drawable(space.sampler, space.entries))
        self._finished = ledger.finished(rows)
        self._metric = space.ground.task.rank_by
        self._queue: deque[Trial] = deque()
        self._drawn: dict[str, Drawn] = {}  # by configuration hash
        self._confirming = False
        self.declares = Declares()
        self.skipped = 0
        before = self._before(rows)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sampler = self._random = sampler("random", seed=0)
        if space.sampler not in FIXED:  # whose draws are met again where they ran before
            self._sampler = sampler(space.sampler, seed=len(before), trials=space.trials)
            self._random = sampler("random", seed=space.trials + len(before))
        self._points = points(space.entries) if space.sampler == "halton" else iter(())
        self._most_draws = MOST_DRAWS + len(before)
        directions = ["minimize"] * max(len(space.objectives), 1)
        self._study = optuna.create_study(sampler=self._sampler, directions=directions)
        columns = space.objectives or (self._metric,)
        for configuration, means in learnt(self._drawing, others, columns):
            self._study.enqueue_trial(dict(configuration.point))
            self._study.tell(self._draw()[0], means)
        for configuration in before:
            self._study.enqueue_trial(dict(configuration.point))
        self._judge = Judge(space, verdicts or Verdicts()) if space.prune else None
        if self._judge is not None:
            trials = (c.trial(seed, "search") for c in before for seed in space.seeds)
            self._judge.replay(trials, rows)
        confirmed = (space.confirm_top + 1) * len(space.confirm_seeds) if space.confirm_top else 0
        self._wanted = space.trials  # number of configurations; fewer if the space has no more
        self.total = space.trials * len(space.seeds) + confirmed

    def next(self) -> Trial | None:
        while not self._queue:
            if len(self._drawn) < self._wanted:
                self._ask()
            elif any(drawn.open for drawn in self._drawn.values()):
                return None
            elif self._confirming or not self.space.confirm_top:
                raise Exhausted
            else:
                self._confirm()
        return self._queue.popleft()

    def tell(self, trial: Trial, row: Row | None) -> None:
        drawn = self._drawn.get(trial.config_hash)
        if drawn is not None and drawn.open:
            if row is not None:
                self.heard(trial, row)
            self._note(drawn, trial, row)
            self._go_on(drawn)

    def heard(self, trial: Trial, row: Row) -> None:
        own = trial.config_hash in self._drawn and trial.split == "search"
        if self._judge is not None and own and row["status"] == "ok":
            self._judge.hear(trial, row)

    def pruned(self, trial: Trial) -> str:
        if self._judge is None or trial.split != "search":
            return ""
        return self._judge.pruned.get(trial.config_hash, "")

    def importances(self) -> dict[str, list[Importance]]:
        """What mattered in the search, of all that finished; nothing until it has ended."""
        ended = [drawn for drawn in self._drawn.values() if not drawn.open]
        if len(ended) < self._wanted:
            return {}
        told = [
            optuna.trial.create_trial(
                params=drawn.asked.params,
                distributions=drawn.asked.distributions,
                value=drawn.mean,
            )
            for drawn in ended
            if math.isfinite(drawn.mean)
        ]
        return {point_key(self.space.ground.point): importances(told)}

    def _value(self, row: Row | None, column: str) -> float:
        value = row[column] if row is not None and row["status"] == "ok" else None
        return math.inf if value is None else value

    def _ask(self) -> None:
        """Draw one more configuration; its finished seeds are taken from the ledger."""
        for _ in range(self._most_draws):
            if (point := next(self._points, None)) is not None:
                self._study.enqueue_trial(point)
            asked, configuration = self._draw()
            trials = [configuration.trial(seed, "search") for seed in self.space.seeds]
            key = trials[0].config_hash
            if key not in self._drawn:
                break
            # TPE must be told again, or it takes a configuration for rare that is only not run
            # twice. It may also insist on a good one, so that the next draw is random.
            self._tell(asked, self._drawn[key])
            self._study.sampler = self._random
        else:  # all of a small space has been drawn
            self.total -= (self._wanted - len(self._drawn)) * len(self.space.seeds)
            self._wanted = len(self._drawn)
            return
        self._study.sampler = self._sampler
        drawn = self._drawn[key] = Drawn(asked, configuration, trials)
        self.declares.add(trials, self.space.ground.point)
        self.declares.control(trials[0], configuration.control)
        for trial in trials:
            if (row := self._finished.get(ledger.key(trial))) is not None:
                self.skipped += 1
                self._note(drawn, trial, row)
        self._go_on(drawn)

    def _draw(self) -> tuple[optuna.Trial, Configuration]:
        """Ask the study for a point: the next one that it was given, or one of its own."""
        asked = self._study.ask()
        if self.space.sampler in EVOLVING:
            _ = asked.relative_params  # a given point is of a generation once this is drawn
        return asked, self._drawing.draw(partial(_suggest, asked))

    def _note(self, drawn: Drawn, trial: Trial, row: Row | None) -> None:
        drawn.values[trial.id] = self._value(row, self._metric)
        if self.space.objectives:
            drawn.costs[trial.id] = self._value(row, self.space.objectives[1])
        drawn.pruned |= row is not None and row["status"] == "pruned"

    def _go_on(self, drawn: Drawn) -> None:
        """Queue the seeds of a configuration that may run now; without any tell its result.

        Where there is a pruner they run one by one. If it stops a configuration when a seed ends,
        the next one is queued all the same: its row says that, and no step is made.
        """
        waiting = drawn.waiting
        if drawn.running:
            return
        if drawn.pruned or not waiting:
            self.total -= len(waiting)
            drawn.open = False
            return self._tell(drawn.asked, drawn)
        queued = waiting[:1] if self._judge else waiting
        drawn.named.update(trial.id for trial in queued)
        self._queue.extend(queued)

    def _tell(self, asked: optuna.Trial, drawn: Drawn) -> None:
        """Tell the study how a configuration ended."""
        if drawn.pruned:
            values = self._judge.values(drawn.trials[0].config_hash) if self._judge else {}
            for step, value in values.items():
                asked.report(value, step)
            self._study.tell(asked, state=TrialState.PRUNED)
        elif math.isfinite(drawn.mean):
            self._study.tell(asked, drawn.objectives if self.space.objectives else drawn.mean)
        else:
            self._study.tell(asked, state=TrialState.FAIL)

    def _confirm(self) -> None:
        """Queue the best distinct configurations, `add` and controls on seeds that picked nothing.

        `add` and controls come first, in the order of the space and not in that of results. Of
        two objectives the best are those of the front, by the metric that ranks.
        """
        self._confirming = True
        drawn = {k: d for k, d in self._drawn.items() if d.configuration.control is None}
        good = {key: each for key, each in drawn.items() if math.isfinite(each.mean)}
        if self.space.objectives:
            good = {key: good[key] for key in front({k: d.objectives for k, d in good.items()})}
        best = sorted(good, key=lambda key: good[key].mean)[: self.space.confirm_top]
        chosen = {}
        for entry in self.space.entries:
            if (entry.signature.name == "add" or entry.control) and not entry.domains:
                fixed = entry.configuration(self.space.ground, {})
                first = fixed.trial(0, "confirm")
                chosen[first.config_hash] = fixed
                self.declares.control(first, fixed.control)
        chosen |= {key: good[key].configuration for key in best}
        trials = [
            c.trial(seed, "confirm") for seed in self.space.confirm_seeds for c in chosen.values()
        ]
        self.declares.add(trials, self.space.ground.point)
        self.total -= (self.space.confirm_top + 1) * len(self.space.confirm_seeds) - len(trials)
        left = [trial for trial in trials if ledger.key(trial) not in self._finished]
        self.skipped += len(trials) - len(left)
        self._queue.extend(left)

    def _before(self, rows: list[Row]) -> list[Configuration]:
        """The configurations of this space with search trials in the ledger, oldest first."""
        found: dict[str, Configuration | None] = {}
        for row in sorted(rows, key=lambda row: row["created_utc"]):
            if row["split"] == "search" and row["config_hash"] not in found:
                found[row["config_hash"]] = locate(self._drawing, row)
        return [*filter(None, found.values())][: self.space.trials]


def _suggest(asked: optuna.Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choices):
        return asked.suggest_categorical(name, domain.values)
    suggest = asked.suggest_int if domain.integer else asked.suggest_float
    step = {} if domain.step is None else {"step": domain.step}
    return suggest(name, domain.low, domain.high, log=domain.log, **step)
