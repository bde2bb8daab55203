"""Which trial comes next: a grid walked seed by seed, or an Optuna study asked and told.

A configuration is told once all its seeds are in. Nothing is kept on disk: what ran before is
read from the ledger, and the study is rebuilt from it.
"""

import json
import math
import warnings
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import optuna
from optuna.trial import TrialState

from darbench.errors import BadInput
from darbench.records.canonical import canonical_json
from darbench.records.trial import Trial
from darbench.search.domains import Choices, Domain
from darbench.search.space import Configuration, SearchSpace
from darbench.store import ledger

Row = Mapping[str, Any]
REDRAWS = 100  # draws in a row of configurations seen before, after which there are no others


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


def proposer(space: SearchSpace, rows: list[Row]) -> Proposer:
    """For a space, given the rows its ledger holds."""
    if space.sampler != "grid":
        ranked = {row["pair_id"] for row in rows if row["split"] == "confirm"}
        used = sorted(ranked.intersection(space.seeds))
        if used:
            raise BadInput(
                f"seeds {used} rank entries of this leaderboard already, and seeds that pick a "
                "winner never rank it; search on others, seeds=[...], or under another name=..."
            )
    return Grid(space, rows) if space.sampler == "grid" else Study(space, rows)


class Grid:
    """All configurations with the first seed, then with the next: a board is complete early."""

    def __init__(self, space: SearchSpace, rows: list[Row]):
        configurations = list(space.grid())
        trials = [space.trial(c, seed, "confirm") for seed in space.seeds for c in configurations]
        trials = list({trial.id: trial for trial in trials}.values())
        known = ledger.finished(rows)
        self.declared = _seeds(trials)
        self._queue = deque(t for t in trials if ledger.key(t) not in known)
        self.total = len(trials)
        self.skipped = self.total - len(self._queue)

    def next(self) -> Trial:
        if not self._queue:
            raise Exhausted
        return self._queue.popleft()

    def tell(self, trial: Trial, row: Row | None) -> None:
        pass


class Study:
    """Configurations from Optuna on search seeds, then the best and `add` on fresh seeds."""

    def __init__(self, space: SearchSpace, rows: list[Row]):
        self.space = space
        self._known = ledger.finished(rows)
        self._metric = space.task.rank_by
        self._values: dict[str, float] = {}  # trial id -> value, inf for a failure
        self._queue: deque[Trial] = deque()
        self._open: dict[str, tuple[optuna.Trial, Configuration]] = {}  # by configuration hash
        self._drawn: set[str] = set()  # configuration hashes
        self._told: dict[str, tuple[float, Configuration]] = {}  # mean over seeds
        self._confirming = False
        self.declared: dict[str, set[int]] = {}
        self._asked = self.skipped = 0
        before = self._before(rows)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sampler = _sampler(space.sampler, seed=len(before))
        self._random = _sampler("random", seed=space.trials + len(before))
        self._study = optuna.create_study(sampler=self._sampler)
        for point in before:
            self._study.enqueue_trial(point)
        confirmed = (space.confirm_top + 1) * len(space.confirm_seeds) if space.confirm_top else 0
        self.total = space.trials * len(space.seeds) + confirmed

    def next(self) -> Trial | None:
        while not self._queue:
            if self._asked < self.space.trials:
                self._ask()
            elif self._open:
                return None
            elif self._confirming or not self.space.confirm_top:
                raise Exhausted
            else:
                self._confirm()
        return self._queue.popleft()

    def tell(self, trial: Trial, row: Row | None) -> None:
        self._values[trial.id] = self._value(row)
        self._settle(trial.config_hash)

    def _value(self, row: Row | None) -> float:
        value = row[self._metric] if row is not None and row["status"] == "ok" else None
        return math.inf if value is None else value

    def _ask(self) -> None:
        """One more configuration; its finished seeds are taken from the ledger."""
        for _ in range(REDRAWS):
            asked = self._study.ask()
            configuration = self.space.draw(partial(_suggest, asked))
            trials = [self.space.trial(configuration, seed, "search") for seed in self.space.seeds]
            drawn = trials[0].config_hash
            if drawn not in self._drawn:
                break
            # TPE must hear of it again, or it takes for rare what is only not run twice; but it
            # may insist on what it knows to be good.
            self._tell(asked, self._told[drawn][0] if drawn in self._told else math.inf)
            self._study.sampler = self._random
        else:  # a small space, all of it drawn
            self.total -= (self.space.trials - self._asked) * len(self.space.seeds)
            self._asked = self.space.trials
            return
        self._study.sampler = self._sampler
        self._asked += 1
        self._drawn.add(drawn)
        self._open[drawn] = asked, configuration
        self._enqueue(trials)
        self._settle(drawn)

    def _enqueue(self, trials: list[Trial]) -> None:
        for trial in trials:
            row = self._known.get(ledger.key(trial))
            if row is None:
                self._queue.append(trial)
            else:
                self.skipped += 1
                self._values[trial.id] = self._value(row)

    def _settle(self, config_hash: str) -> None:
        """Tell the study the mean over seeds, if all are in."""
        if config_hash not in self._open:
            return
        asked, configuration = self._open[config_hash]
        ids = [self.space.trial(configuration, seed, "search").id for seed in self.space.seeds]
        if not all(trial_id in self._values for trial_id in ids):
            return
        del self._open[config_hash]
        mean = sum(self._values[trial_id] for trial_id in ids) / len(ids)
        self._tell(asked, mean)
        if math.isfinite(mean):
            self._told[config_hash] = mean, configuration

    def _tell(self, asked: optuna.Trial, mean: float) -> None:
        if math.isfinite(mean):
            self._study.tell(asked, mean)
        else:
            self._study.tell(asked, state=TrialState.FAIL)

    def _confirm(self) -> None:
        """The best distinct configurations and the baseline, on seeds that picked nothing."""
        self._confirming = True
        best = sorted(self._told, key=lambda config_hash: self._told[config_hash][0])
        chosen = {c: self._told[c][1] for c in best[: self.space.confirm_top]}
        for entry in self.space.entries:
            if entry.signature.name == "add" and not entry.domains:
                baseline = entry.configuration({})
                chosen[self.space.trial(baseline, 0, "confirm").config_hash] = baseline
        trials = [
            self.space.trial(c, seed, "confirm")
            for seed in self.space.confirm_seeds
            for c in chosen.values()
        ]
        self.declared = _seeds(trials)
        self.total -= (self.space.confirm_top + 1) * len(self.space.confirm_seeds) - len(trials)
        self._enqueue(trials)

    def _before(self, rows: list[Row]) -> list[dict[str, Any]]:
        """Points of this space that the ledger holds search trials of, oldest first."""
        points: dict[str, dict[str, Any]] = {}
        for row in sorted(rows, key=lambda row: row["created_utc"]):
            if row["split"] == "search":
                point = _locate(self.space, row)
                if point is not None:
                    points[canonical_json(point)] = point
        return list(points.values())[: self.space.trials]


def _seeds(trials: list[Trial]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for trial in trials:
        found.setdefault(trial.config_hash, set()).add(trial.pair_id)
    return found


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # group: the parameters of one variant are modelled together, apart from the others'.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)


def _suggest(asked: optuna.Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choices):
        return asked.suggest_categorical(name, domain.values)
    suggest = asked.suggest_int if domain.integer else asked.suggest_float
    step = {} if domain.step is None else {"step": domain.step}
    return suggest(name, domain.low, domain.high, log=domain.log, **step)


def _locate(space: SearchSpace, row: Row) -> dict[str, Any] | None:
    """The point at which the space has the row's configuration; None if it has not."""
    params = json.loads(row["params_json"])
    for entry in space.entries:
        if entry.signature.name != row["routing"]:
            continue
        chosen = {key: params.get(key) for key in entry.domains}
        if not all(chosen[key] in domain for key, domain in entry.domains.items()):
            continue
        configuration = entry.configuration(chosen)
        if space.trial(configuration, 0, "search").config_hash == row["config_hash"]:
            return dict(configuration.point)
    return None
