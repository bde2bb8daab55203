"""An Optuna study, which draws configurations and learns from their results.

It is given a configuration's result once all its seeds have ended. The study is rebuilt from the
ledger.
"""

import json
import math
import warnings
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from darbench.records.canonical import canonical_json
from darbench.records.setting import identity_defaults
from darbench.records.trial import Trial
from darbench.search.domains import Choices, Domain
from darbench.search.ground import PARTS
from darbench.search.importance import importances
from darbench.search.proposer import Declares, Exhausted, Row
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration
from darbench.store import ledger
from darbench.store.importances import Importance, point_key

MOST_DRAWS = 100  # after so many repeats of its own in a row, no configuration is left


@dataclass
class Drawn:
    """A configuration that the study drew; it is open until all its trials are in."""

    asked: optuna.Trial
    configuration: Configuration
    trials: list[Trial]  # one for each search seed
    values: dict[str, float] = field(default_factory=dict)  # trial id -> value, inf for a failure
    open: bool = True

    @property
    def complete(self) -> bool:
        return all(trial.id in self.values for trial in self.trials)

    @property
    def mean(self) -> float:
        """The mean of the values over seeds; inf if a seed failed, or it is open."""
        if self.open:
            return math.inf
        return sum(self.values[trial.id] for trial in self.trials) / len(self.trials)


class Study:
    """A proposer of Optuna's configurations on search seeds, then the best on fresh seeds.

    The space has one ground.
    """

    def __init__(self, space: SearchSpace, rows: list[Row]):
        self.space = space
        self._finished = ledger.finished(rows)
        self._metric = space.ground.task.rank_by
        self._queue: deque[Trial] = deque()
        self._drawn: dict[str, Drawn] = {}  # by configuration hash
        self._confirming = False
        self.declares = Declares()
        self.skipped = 0
        before = self._before(rows)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sampler = self._random = _sampler("random", seed=0)
        if space.sampler != "random":  # whose draws are met again where they ran before
            self._sampler = _sampler(space.sampler, seed=len(before))
            self._random = _sampler("random", seed=space.trials + len(before))
        self._most_draws = MOST_DRAWS + len(before)
        self._study = optuna.create_study(sampler=self._sampler)
        for point in before:
            self._study.enqueue_trial(point)
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
            drawn.values[trial.id] = self._value(row)
            self._settle(drawn)

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

    def _value(self, row: Row | None) -> float:
        value = row[self._metric] if row is not None and row["status"] == "ok" else None
        return math.inf if value is None else value

    def _ask(self) -> None:
        """Draw one more configuration; its finished seeds are taken from the ledger."""
        for _ in range(self._most_draws):
            asked = self._study.ask()
            configuration = self.space.draw(partial(_suggest, asked))
            trials = [configuration.trial(seed, "search") for seed in self.space.seeds]
            key = trials[0].config_hash
            if key not in self._drawn:
                break
            # TPE must be told again, or it takes a configuration for rare that is only not run
            # twice. It may also insist on a good one, so that the next draw is random.
            self._tell(asked, self._drawn[key].mean)
            self._study.sampler = self._random
        else:  # all of a small space has been drawn
            self.total -= (self._wanted - len(self._drawn)) * len(self.space.seeds)
            self._wanted = len(self._drawn)
            return
        self._study.sampler = self._sampler
        drawn = self._drawn[key] = Drawn(asked, configuration, trials)
        self.declares.add(trials, self.space.ground.point)
        self.declares.control(trials[0], configuration.control)
        for trial, row in self._enqueue(trials):
            drawn.values[trial.id] = self._value(row)
        self._settle(drawn)

    def _enqueue(self, trials: list[Trial]) -> list[tuple[Trial, Row]]:
        """Queue the trials that have not run yet, and return the others with their rows."""
        rows = [(trial, self._finished.get(ledger.key(trial))) for trial in trials]
        self._queue.extend(trial for trial, row in rows if row is None)
        ran = [(trial, row) for trial, row in rows if row is not None]
        self.skipped += len(ran)
        return ran

    def _settle(self, drawn: Drawn) -> None:
        """Tell the study the mean over seeds, if all have ended."""
        if drawn.complete:
            drawn.open = False
            self._tell(drawn.asked, drawn.mean)

    def _tell(self, asked: optuna.Trial, mean: float) -> None:
        if math.isfinite(mean):
            self._study.tell(asked, mean)
        else:
            self._study.tell(asked, state=TrialState.FAIL)

    def _confirm(self) -> None:
        """Queue the best distinct configurations, `add` and controls on seeds that picked nothing.

        `add` and controls come first, in the order of the space and not in that of results.
        """
        self._confirming = True
        drawn = {k: d for k, d in self._drawn.items() if d.configuration.control is None}
        good = {key: each for key, each in drawn.items() if math.isfinite(each.mean)}
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
        self._enqueue(trials)

    def _before(self, rows: list[Row]) -> list[dict[str, Any]]:
        """The points of this space with search trials in the ledger, oldest first."""
        points: dict[str, dict[str, Any]] = {}
        for row in sorted(rows, key=lambda row: row["created_utc"]):
            if row["split"] == "search":
                point = _locate(self.space, row)
                if point is not None:
                    points[canonical_json(point)] = point
        return list(points.values())[: self.space.trials]


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # group: the parameters of a variant are modelled together, apart from those of others.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _suggest(asked: optuna.Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choices):
        return asked.suggest_categorical(name, domain.values)
    suggest = asked.suggest_int if domain.integer else asked.suggest_float
    step = {} if domain.step is None else {"step": domain.step}
    return suggest(name, domain.low, domain.high, log=domain.log, **step)


def _locate(space: SearchSpace, row: Row) -> dict[str, Any] | None:
    """The point of the space that is the row's configuration; None if there is none."""
    found = _said(row)
    for entry in space.entries:
        if entry.signature.name != row["routing"]:
            continue
        chosen = {key: found.get(key) for key in entry.domains}
        if not all(chosen[key] in domain for key, domain in entry.domains.items()):
            continue
        configuration = entry.configuration(space.ground, chosen)
        if configuration.trial(0, "search").config_hash == row["config_hash"]:
            return dict(configuration.point)
    return None


def _said(row: Row) -> dict[str, Any]:
    """All that an entry could have chosen of a row's configuration, by name."""
    config = json.loads(row["config_json"])
    found = json.loads(row["params_json"])
    for part, cls in PARTS.items():
        values = identity_defaults(cls) | config[part]
        found |= {f"{part}.{name}": value for name, value in values.items()}
    return found
