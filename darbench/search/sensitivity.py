"""Whether a task can tell apart what is known to differ: `darbench sensitivity`.

`add` with half and with twice the compute is read off one curve of its own; the task's controls
(its card names them) train as long as `add` does. All of them share the pair ids, so every
effect is a paired one.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from darbench.board.outcomes import COMPARED, outcome
from darbench.errors import BadInput
from darbench.plugins import load_file
from darbench.records import Trial
from darbench.search import sweep as sweeps
from darbench.search.space import SearchSpace
from darbench.stats import Effect, paired_effect
from darbench.store import ledger

SPACE = Path(__file__).parents[1] / "conf" / "controls.yaml"
SHUT = Path(__file__).with_name("shut.py")
HALF, SAME, TWICE = 0.25, 0.5, 1.0  # of the curve that goes on to twice the compute

Values = dict[str, dict[int, float]]  # metric -> pair id -> value


@dataclass(frozen=True, kw_only=True)
class Control:
    """What is known to be better or worse than `add`, and what the task says of it."""

    name: str
    better: bool
    effects: Mapping[str, Effect | None]  # by metric, relative to `add`

    def resolved(self, metric: str) -> bool:
        """The interval lies on the side on which the effect must be."""
        effect = self.effects[metric]
        return effect is not None and effect.separated and (effect.mean < 0) == self.better


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    controls: tuple[Control, ...]
    rank_by: str
    extractor: str
    outcomes: tuple[sweeps.Outcome, ...]

    @property
    def resolved(self) -> bool:
        return all(control.resolved(self.rank_by) for control in self.controls)

    @property
    def interrupted(self) -> bool:
        return self.outcomes[-1].interrupted


def sensitivity(
    task: str, overrides: Iterable[str] = (), run: sweeps.Run = sweeps.sweep
) -> Sensitivity:
    """Run the controls of a task that its ledger does not hold, and judge them.

    run: `sweep`, with what it shall know beside the space and the overrides. BadInput for a task
    without controls.
    """
    load_file(SHUT)
    overrides = [f"task={task}", *overrides]
    once = sweeps.plan(str(SPACE), overrides)
    labels = [c.variant.label for c in once.grid()]
    if "add" not in labels or len(labels) < 2:
        raise BadInput(f"task {task} has no controls; its card must name `add` and some others")
    longer = [*overrides, *_twice(once)]
    outcomes = []
    for given in (overrides, longer):
        outcomes.append(run(str(SPACE), given))
        if outcomes[-1].interrupted:
            break
    rows = ledger.read_ledger(outcomes[0].folder / "ledger")
    found = judge(rows, once, sweeps.plan(str(SPACE), longer))
    return Sensitivity(
        controls=found, rank_by=once.task.rank_by, extractor=once.task.extractor,
        outcomes=tuple(outcomes),
    )  # fmt: skip


def _twice(space: SearchSpace) -> list[str]:
    """The overrides under which `add` alone trains on, past the checkpoints it had."""
    marks = sorted({*(mark / 2 for mark in space.training.checkpoints), HALF, SAME, TWICE})
    return [
        f"training.steps={2 * space.training.steps}",
        f"training.checkpoints={marks}",
        f"evaluation.fd_from={min(HALF, space.evaluation.fd_from / 2)}",
        "variants=[{routing: add}]",
    ]


def judge(
    rows: list[dict[str, Any]], once: SearchSpace, twice: SearchSpace
) -> tuple[Control, ...]:
    """From the rows of both sweeps; an effect is None until two trials of a pair id are in."""
    by_name = {c.variant.label: _trials(once, c) for c in once.grid()}
    curve = _trials(twice, next(twice.grid()))
    base, middle = _values(rows, by_name.pop("add")), _values(rows, curve, SAME)
    found = [
        _control("half the compute", _values(rows, curve, HALF), middle, better=False),
        _control("twice the compute", _values(rows, curve, TWICE), middle, better=True),
    ]
    for name, trials in by_name.items():
        found.append(_control(name, _values(rows, trials), base, better=False))
    return tuple(found)


def _trials(space: SearchSpace, configuration: Any) -> dict[str, Trial]:
    trials = (space.trial(configuration, seed, "confirm") for seed in space.seeds)
    return {trial.id: trial for trial in trials}


def _values(rows: list[dict[str, Any]], trials: dict[str, Trial], share: float = 1.0) -> Values:
    """Metrics of the trials at that share of their own budgets."""
    own = [r for r in rows if r["trial_id"] in trials]
    own = [r for r in own if r["variant_code_hash"] == trials[r["trial_id"]].code_hash]
    own.sort(key=lambda row: row["trial_id"])
    values: Values = {metric: {} for metric in COMPARED}
    for _, group in groupby(own, key=lambda row: row["trial_id"]):
        group = list(group)
        budget = next((row["budget_flops"] for row in group if row["budget_flops"]), None)
        found = outcome(group, budget and share * budget)
        for metric in COMPARED:
            if found.values.get(metric) is not None:
                values[metric][found.pair_id] = found.values[metric]
    return values


def _control(name: str, values: Values, base: Values, *, better: bool) -> Control:
    effects = {}
    for metric in COMPARED:
        ours, theirs = values[metric], base[metric]
        pairs = sorted(ours.keys() & theirs.keys())
        effects[metric] = paired_effect([math.log(ours[p] / theirs[p]) for p in pairs])
    return Control(name=name, better=better, effects=effects)
