"""A configuration that a study drew, and how its trials on the search seeds stand."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darbench.records.trial import Trial
from darbench.search.variants import Configuration


@dataclass
class Drawn:
    """A configuration that the study drew; it is open until its trials are in, or it is pruned."""

    asked: Any  # the trial of Optuna that drew it
    configuration: Configuration
    trials: list[Trial]  # one for each search seed
    values: dict[str, float] = field(default_factory=dict)  # trial id -> value, inf for a failure
    costs: dict[str, float] = field(default_factory=dict)  # the second objective, in the same way
    named: set[str] = field(default_factory=set)  # ids of trials that were given out to run
    pruned: bool = False
    open: bool = True

    @property
    def waiting(self) -> list[Trial]:
        """The trials that have neither ended nor been given out."""
        return [t for t in self.trials if t.id not in self.values and t.id not in self.named]

    @property
    def running(self) -> bool:
        return any(trial not in self.values for trial in self.named)

    @property
    def mean(self) -> float:
        """The mean of the values over seeds; inf if a seed failed, it is open or was pruned."""
        if self.open or self.pruned:
            return math.inf
        return self._mean(self.values)

    @property
    def objectives(self) -> tuple[float, float]:
        """The means of both objectives; the first as `mean`."""
        return self.mean, self._mean(self.costs) if math.isfinite(self.mean) else math.inf

    def _mean(self, values: Mapping[str, float]) -> float:
        return sum(values[trial.id] for trial in self.trials) / len(self.trials)
