"""How a search stops configurations early: by which of Optuna's pruners, and when it is asked.

A configuration's search seeds run one after another, and the pruner counts their checkpoints in
that order, the same for all: steps 1 to seeds x checkpoints, which lie at the same shares of the
budget in FLOPs. Wilcoxon counts seeds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from darbench.errors import BadInput, unknown

NONE = "none"
PRUNERS = (NONE, "halving", "hyperband", "median", "wilcoxon")
# The settings that each of them reads.
READ = {
    NONE: (),
    "halving": ("after", "factor"),
    "hyperband": ("after", "factor"),
    "median": ("after", "startup"),
    "wilcoxon": ("level",),
}


@dataclass(frozen=True, kw_only=True)
class Prune:
    """The pruner of a search; it is false where there is none."""

    pruner: str = NONE
    after: int = 1  # steps before it first stops a configuration
    factor: int = 3  # at a rung the best 1/factor go on
    startup: int = 5  # configurations that must have ended before
    level: float = 0.1  # of the test

    def __bool__(self) -> bool:
        return self.pruner != NONE

    @property
    def by_seed(self) -> bool:
        """Whether it is asked when a seed ends, and not at every checkpoint."""
        return self.pruner == "wilcoxon"

    def steps(self, seeds: int, checkpoints: int) -> int:
        return seeds if self.by_seed else seeds * checkpoints


def idle_settings(given: Mapping[str, Any]) -> dict[str, str]:
    """Return why settings of pruning have no effect, by name; `given` are the values of all."""
    pruner = given["pruner"]
    unread = set().union(*READ.values()) - {*READ.get(pruner, given)}
    return {f"prune.{name}": f"has no effect with prune.pruner={pruner}" for name in unread}


def need_prunable(
    prune: Prune, sampler: str, seeds: Collection[int], checkpoints: Collection[int]
) -> None:
    """Raise BadInput for a pruner that is none, or could never stop anything.

    checkpoints: how many a trial has, on each of the grounds.
    """
    if prune.pruner not in PRUNERS:
        raise unknown("pruner in prune.pruner:", prune.pruner, PRUNERS)
    if not prune:
        return
    if sampler == "grid":
        raise BadInput(
            f"prune.pruner={prune.pruner}: a grid ranks all that it runs and stops nothing; add "
            "sampler=random or sampler=tpe, or take it out"
        )
    if prune.factor < 2 or prune.after < 1 or prune.startup < 0:
        raise BadInput("prune: factor must be 2 or more, after 1 or more, startup 0 or more")
    if not 0 < prune.level < 1:
        raise BadInput(f"prune.level={prune.level}: must be between 0 and 1")
    least = 0.5 ** (len(seeds) - 1)  # the p value if all differences have one sign
    if prune.by_seed and (len(seeds) < 3 or least >= prune.level):
        raise BadInput(
            f"prune.pruner=wilcoxon: on {len(seeds)} seed{'s' * (len(seeds) > 1)} it cannot come "
            f"below prune.level={prune.level:g} before the last; give at least "
            f"{_enough(prune.level)} seeds, or "
            "another pruner"
        )
    steps = prune.steps(len(seeds), min(checkpoints))
    if not prune.by_seed and prune.after >= steps:
        raise BadInput(
            f"prune.after={prune.after}: a configuration has {steps} checkpoints, over its "
            f"{len(seeds)} seeds, and after the last there is nothing to stop"
        )


def _enough(level: float) -> int:
    """The number of seeds with which the test can come below a level before the last."""
    return next(n for n in range(3, 10_000) if 0.5 ** (n - 1) < level)
