"""The judge of a search: one of Optuna's pruners, in a study of its own.

It hears the rows of checkpoints one by one and says which configurations are to stop. A
configuration has its number by its first row, the study a fixed name, and every row a step by its
seed and its checkpoint; so whoever hears the same rows in the same order says the same. That order
is kept (`store.verdicts`), and the study is rebuilt from it and the ledger.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import optuna
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from darbench.records.trial import Trial
from darbench.search.proposer import Row
from darbench.search.prune import Prune
from darbench.search.space import SearchSpace
from darbench.store import ledger
from darbench.store.verdicts import Verdict, Verdicts

STUDY = "darbench"  # Hyperband makes a configuration's bracket of this and its number


@dataclass
class Heard:
    """What the judge knows of a configuration."""

    asked: optuna.Trial
    values: dict[int, float] = field(default_factory=dict)  # of the metric that ranks, by step
    ended: dict[int, float] = field(default_factory=dict)  # the same, by seed that has ended
    open: bool = True  # neither pruned nor complete


class Judge:
    """A pruner and all that it has heard; `pruned` says why, by configuration hash."""

    def __init__(self, space: SearchSpace, verdicts: Verdicts):
        self.pruned: dict[str, str] = {}
        self._prune, self._seeds = space.prune, space.seeds
        self._marks = space.ground.training.checkpoints
        self._metric = space.ground.task.rank_by
        self._steps = space.prune.steps(len(space.seeds), len(self._marks))
        self._verdicts = verdicts
        self._heard: dict[str, Heard] = {}
        self._study = optuna.create_study(
            study_name=STUDY,
            sampler=optuna.samplers.RandomSampler(seed=0),  # never asked for a parameter
            pruner=_pruner(space.prune, self._steps),
        )

    def hear(self, trial: Trial, row: Row) -> None:
        """Take the row of a checkpoint, which is judged unless its step was heard before."""
        self._keep(row, self._take(trial.config_hash, trial.pair_id, row))

    def values(self, key: str) -> Mapping[int, float]:
        """Return the values of a configuration by step."""
        return self._heard[key].values if key in self._heard else {}

    def replay(self, trials: Iterable[Trial], rows: Iterable[Row]) -> None:
        """Hear of these trials what the ledger has: first in the order of before, then the rest.

        What was said before is said again. A configuration of which there is a later row went on,
        whatever the pruner would say now.
        """
        own = {ledger.key(trial) for trial in trials}
        left = {row["row_hash"]: row for row in rows if ledger.row_key(row) in own and _ok(row)}
        for verdict in [*self._verdicts.given]:
            if (row := left.pop(verdict.row, None)) is not None:
                self._take(row["config_hash"], row["pair_id"], row, verdict.pruned)
        unheard = sorted(left.values(), key=self._age)
        last = {row["config_hash"]: row for row in unheard}
        for row in unheard:
            said = None if row is last[row["config_hash"]] else ""
            self._keep(row, self._take(row["config_hash"], row["pair_id"], row, said))

    def _age(self, row: Row) -> tuple[str, str, int]:
        """When a row was written; those of one second come in an order that is always the same."""
        step = self._step(row["pair_id"], row)
        return row["created_utc"], row["config_hash"], step or 0

    def _keep(self, row: Row, why: str | None) -> None:
        if why is not None:
            self._verdicts.add(Verdict(row=row["row_hash"], pruned=why))

    def _take(self, key: str, seed: int, row: Row, said: str | None = None) -> str | None:
        """Return the verdict on a row, that of before if it is given; None if there is none."""
        step, value = self._step(seed, row), row[self._metric]
        heard = self._heard.get(key)
        if step is None or value is None:
            return None
        if heard is None:
            heard = self._heard[key] = Heard(self._study.ask())
        if not heard.open or step in heard.values:
            return None
        latest = step > max(heard.values, default=0)
        heard.values[step] = value
        heard.asked.report(value, step)
        why = self._asked(heard, step) if latest and step < self._steps else ""
        why = why if said is None else said
        if why:
            self._close(heard, TrialState.PRUNED)
            self.pruned[key] = why
        elif row["final"]:
            heard.ended[seed] = value
            if len(heard.ended) == len(self._seeds):
                self._close(heard, TrialState.COMPLETE)
        return why

    def _asked(self, heard: Heard, step: int) -> str:
        """Why the configuration is to stop; it has reported the value of this step."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Wilcoxon's, on seeds that failed
            prune = heard.asked.should_prune()
        what = "seeds" if self._prune.by_seed else "checkpoints"
        return f"pruned by {self._prune.pruner} at {step} of {self._steps} {what}" if prune else ""

    def _close(self, heard: Heard, state: TrialState) -> None:
        heard.open = False
        mean = sum(heard.ended.values()) / len(heard.ended) if heard.ended else None
        value = mean if state is TrialState.COMPLETE else None
        self._study.tell(heard.asked, value, state)

    def _step(self, seed: int, row: Row) -> int | None:
        """The step of a row, from 1; None where nothing is asked."""
        before = self._seeds.index(seed)
        if self._prune.by_seed:
            return before + 1 if row["final"] else None
        return before * len(self._marks) + self._checkpoint(row)

    def _checkpoint(self, row: Row) -> int:
        """How many of the budget's marks a row has reached: its checkpoint, from 1."""
        if row["final"]:
            return len(self._marks)
        steps = row["step"] * row["budget_flops"] / row["train_flops"]  # to the budget
        return sum(row["step"] >= mark * steps - 1e-6 for mark in self._marks)


def _ok(row: Row) -> bool:
    return row["status"] == "ok"


def _pruner(prune: Prune, steps: int) -> BasePruner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if prune.pruner == "halving":
            return optuna.pruners.SuccessiveHalvingPruner(
                min_resource=prune.after, reduction_factor=prune.factor
            )
        if prune.pruner == "hyperband":
            return optuna.pruners.HyperbandPruner(
                min_resource=prune.after, max_resource=steps, reduction_factor=prune.factor
            )
        if prune.pruner == "median":
            return optuna.pruners.MedianPruner(
                n_startup_trials=prune.startup, n_warmup_steps=prune.after
            )
        return optuna.pruners.WilcoxonPruner(p_threshold=prune.level)
