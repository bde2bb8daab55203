"""A test that a task resolves differences known to exist: `darbench sensitivity`.

`add` with half and with twice the compute are trainings of their own, for where the learning rate
falls an earlier checkpoint is not what a shorter training reaches; the controls that the task's
card names train as long as `add` does. All share the pair ids, so every effect is paired.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from darbench.analysis.comparison import log_differences
from darbench.analysis.effects import Effect, paired_effect
from darbench.analysis.outcomes import Outcome, outcome
from darbench.analysis.pairing import differences, other_kernels
from darbench.errors import BadInput
from darbench.records.metric import COMPARED
from darbench.search import sweep as sweeps
from darbench.search.feasible import checked_space
from darbench.search.files import control, recipe
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration
from darbench.store import ledger

SPACE = recipe("controls")
Trials = dict[int, Outcome]  # by pair id


@dataclass(frozen=True, kw_only=True)
class Control:
    """A variant that is known to be better or worse than `add`, and its measured effects."""

    name: str
    better: bool
    effects: Mapping[str, Effect | None]  # by metric, relative to `add`
    unpaired: Mapping[int, list[str]]  # what differs, by pair id left out of the effects
    other_kernels: list[int]  # pair ids computed by other kernels than those of `add`

    def resolved(self, metric: str) -> bool:
        """Whether the whole interval lies on the side on which the effect must be."""
        effect = self.effects[metric]
        return effect is not None and effect.separated and (effect.mean < 0) == self.better


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    controls: tuple[Control, ...]
    rank_by: str
    extractor: str
    outcomes: tuple[sweeps.SweepResult, ...]

    @property
    def resolved(self) -> bool:
        return all(control.resolved(self.rank_by) for control in self.controls)

    @property
    def measured(self) -> bool:
        """Whether there is an effect to show."""
        return any(e is not None for control in self.controls for e in control.effects.values())

    @property
    def interrupted(self) -> bool:
        return self.outcomes[-1].interrupted

    @property
    def failed(self) -> bool:
        return not self.resolved

    def summary(self) -> dict[str, Any]:
        """Return the result as plain values, for a program to read."""
        return {"resolved": self.resolved, **asdict(self)}


def sensitivity(
    task: str, overrides: Iterable[str] = (), run: sweeps.RunSweep = sweeps.sweep
) -> Sensitivity:
    """Run the controls of a task that are not in the ledger, and judge them.

    run: `sweep` with all arguments given but the space and the overrides. BadInput as in `design`.
    """
    designs = design(task, overrides)
    outcomes = []
    for given in designs:
        outcomes.append(run(str(SPACE), given))
        if outcomes[-1].interrupted:
            break
    rows = ledger.read_ledger(outcomes[0].folder / "ledger")
    spaces = [checked_space(str(SPACE), given) for given in designs]
    return Sensitivity(
        controls=judge(rows, *spaces),
        rank_by=spaces[0].ground.task.rank_by,
        extractor=spaces[0].ground.task.extractor,
        outcomes=tuple(outcomes),
    )


def design(task: str, overrides: Iterable[str] = ()) -> tuple[list[str], ...]:
    """Return overrides to sweep SPACE with: once for the controls, then for `add` alone.

    The latter are with half and with twice the steps, in this order. BadInput for a task
    without controls, or for a single pair id.
    """
    from darbench.testing.rehearsal import load_rehearsed  # imports torch

    load_rehearsed(control())
    overrides = [f"task={task}", *overrides]
    once = checked_space(str(SPACE), overrides)
    labels = [c.variant.label for c in once.grid()]
    if "add" not in labels or len(labels) < 2:
        raise BadInput(f"task {task} has no controls; its card must name `add` and some others")
    once.need_pairs()
    steps = once.ground.training.steps
    others = (_add_alone(overrides, each) for each in (max(1, steps // 2), 2 * steps))
    return overrides, *others


def _add_alone(overrides: list[str], steps: int) -> list[str]:
    return [*overrides, f"training.steps={steps}", "variants=[{routing: add}]"]


def judge(
    rows: list[dict[str, Any]], once: SearchSpace, half: SearchSpace, twice: SearchSpace
) -> tuple[Control, ...]:
    """Return the controls, given the rows of all sweeps.

    An effect is None until both trials of a pair id have ended, and has no interval until those of
    all pair ids have reached its metric: survivors of failures resolve nothing.
    """
    by_name = {c.variant.label: _outcomes(rows, once, c) for c in once.grid()}
    base = by_name.pop("add")
    controls = [
        ("half the compute", _outcomes(rows, half, next(half.grid())), False),
        ("twice the compute", _outcomes(rows, twice, next(twice.grid())), True),
        *((name, trials, False) for name, trials in by_name.items()),
    ]
    return tuple(
        _control(name, own, base, better, seeds=once.seeds) for name, own, better in controls
    )


def _outcomes(
    rows: list[dict[str, Any]], space: SearchSpace, configuration: Configuration
) -> Trials:
    """The outcomes of a configuration's trials, by pair id."""
    trials = (configuration.trial(seed, "confirm") for seed in space.seeds)
    keys = {ledger.key(trial) for trial in trials}
    own = [row for row in rows if ledger.row_key(row) in keys]
    own.sort(key=lambda row: row["trial_id"])
    outcomes: Trials = {}
    for _, group in groupby(own, key=lambda row: row["trial_id"]):
        group = list(group)
        budget = next((row["budget_flops"] for row in group if row["budget_flops"]), None)
        trial = outcome(group, budget)
        outcomes[trial.pair_id] = trial
    return outcomes


def _control(
    name: str, ours: Trials, theirs: Trials, better: bool, *, seeds: Collection[int]
) -> Control:
    pairs = sorted(ours.keys() & theirs.keys())
    broken = {pair: differences(ours[pair].curve, theirs[pair].curve) for pair in pairs}
    return Control(
        name=name,
        better=better,
        effects={metric: _effect(ours, theirs, metric, seeds) for metric in COMPARED},
        unpaired={pair: reasons for pair, reasons in broken.items() if reasons},
        other_kernels=[p for p in pairs if other_kernels(ours[p].curve, theirs[p].curve)],
    )


def _effect(ours: Trials, theirs: Trials, metric: str, seeds: Collection[int]) -> Effect | None:
    effect = paired_effect(log_differences(ours, theirs, metric))
    both = [side.get(seed) for side in (ours, theirs) for seed in seeds]
    whole = all(trial and trial.values.get(metric) is not None for trial in both)
    return effect if whole or effect is None else effect.bare
