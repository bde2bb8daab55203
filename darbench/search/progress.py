"""The progress of a sweep, which its driver counts and a listener shows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from darbench.records.trial import Trial


@dataclass
class Progress:
    """The counts of a sweep's trials; `event` is a line on what happened last."""

    total: int
    skipped: int  # finished before this sweep began
    rank_by: str
    done: int = 0
    failed: int = 0
    running: int = 0
    best: tuple[str, float] | None = None  # label and mean of the rank metric over seeds
    event: str = ""
    _started: float = field(default_factory=time.monotonic)
    _values: dict[str, list[float]] = field(default_factory=dict)  # by label

    @property
    def left(self) -> int:
        return self.total - self.skipped - self.done - self.failed

    @property
    def seconds_left(self) -> float | None:
        """The time left at the mean pace so far; None before the first trial has ended."""
        ended = self.done + self.failed
        if not ended:
            return None
        return (time.monotonic() - self._started) / ended * self.left

    def ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Count a trial by its last row."""
        if row["status"] != "ok":
            self.failed += 1
            self.event = f"{row['status']}: {trial_name(trial)}: {row['error']}"
            return
        self.done += 1
        value = row[self.rank_by]
        if value is None:
            self.event = f"done: {trial_name(trial)}: {self.rank_by} was not measured"
            return
        self.event = f"done: {trial_name(trial)}: {self.rank_by} {value:.4f}"
        self._values.setdefault(trial.variant.label, []).append(value)
        means = {label: sum(v) / len(v) for label, v in self._values.items()}
        label = min(means, key=means.get)
        self.best = label, means[label]


Listener = Callable[[Progress], None]


def trial_name(trial: Trial) -> str:
    return f"{trial.variant.label}, seed {trial.pair_id}"
