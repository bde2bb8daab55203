"""The progress of a sweep, which its driver counts and a listener shows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from darbench.records.trial import Trial
from darbench.search.pace import seconds_left


@dataclass
class Progress:
    """The counts of a sweep's trials; `event` is a line on what happened last."""

    total: int
    skipped: int  # finished before this sweep began
    done: int = 0
    failed: int = 0
    pruned: int = 0  # configurations that were stopped, by the trial that says so
    running: int = 0
    # Of the ground of the last trial: name, metric that ranks, and its mean over seeds.
    best: tuple[str, str, float] | None = None
    event: str = ""
    _began: dict[str, float] = field(default_factory=dict)  # of those that run, by trial id
    _lengths: list[float] = field(default_factory=list)  # of those that ended, in seconds
    _most: int = 0  # that ran at a time
    # By point of the axes and label.
    _values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    @property
    def ended_now(self) -> int:
        """How many trials this sweep has ended."""
        return self.done + self.failed + self.pruned

    @property
    def left(self) -> int:
        return self.total - self.skipped - self.ended_now

    @property
    def seconds_left(self) -> float | None:
        """The time left by the trials so far; None while too few have ended."""
        ages = [time.monotonic() - began for began in self._began.values()]
        return seconds_left(self._lengths, ages, self.left, self._most)

    def began(self, trial: Trial) -> None:
        self.running += 1
        self._most = max(self._most, self.running)
        self._began[trial.id] = time.monotonic()

    def cut_off(self, trial: Trial) -> None:
        """Note that a trial runs no more, and is to run again."""
        self.running -= 1
        del self._began[trial.id]

    def ended(self, trial: Trial, row: Mapping[str, Any], at: str = "") -> None:
        """Count a trial by its last row; `at` says on which point of the axes it stands."""
        if trial.id in self._began:  # not elsewhere
            self._lengths.append(time.monotonic() - self._began[trial.id])
            self.cut_off(trial)
        name, metric = trial_name(trial, at), trial.task.rank_by
        if row["status"] == "pruned":
            self.pruned += 1
            self.event = f"{name}: {row['error']}"
            return
        if row["status"] != "ok":
            self.failed += 1
            self.event = f"{row['status']}: {name}: {row['error']}"
            return
        self.done += 1
        value = row[metric]
        if value is None:
            self.event = f"done: {name}: {metric} was not measured"
            return
        self.event = f"done: {name}: {metric} {value:.4f}"
        values = self._values.setdefault(at, {})
        values.setdefault(trial.variant.label, []).append(value)
        means = {label: sum(v) / len(v) for label, v in values.items()}
        label = min(means, key=means.get)
        self.best = _at(label, at), metric, means[label]


Listener = Callable[[Progress], None]


def trial_name(trial: Trial, at: str = "") -> str:
    return f"{_at(trial.variant.label, at)}, seed {trial.pair_id}"


def _at(label: str, at: str) -> str:
    return f"{label} at {at}" if at else label
