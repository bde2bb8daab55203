"""The part of a difference on a task that is chance: `darbench noise-floor`.

A few routings train with the same pair ids; the final weights of every trial are measured again
with other random numbers (`evaluation.redraws`).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from darbench.analysis.comparison import BASELINE
from darbench.analysis.noise import Components, Pairing, common, crossed, nested, pairing
from darbench.analysis.pairing import differences, other_kernels
from darbench.errors import BadInput
from darbench.records.metric import COMPARED, IMAGES, METRICS, Series
from darbench.search import sweep as sweeps
from darbench.search.feasible import checked_space
from darbench.search.files import recipe
from darbench.search.space import SearchSpace
from darbench.store import ledger

SPACE = recipe("noise_floor")

LastRows = dict[str, dict[int, dict[str, Any]]]  # rows by label of the routing and pair id


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The noise of one metric: standard deviations of its log, None if trials are too few."""

    pairs: int  # number of pair ids that all routings have
    training: float | None = None  # from other pair ids: weights, data order, noise and times
    generation: float | None = None  # from other noise to generate from
    metric: float | None = None  # from other validation noise, or other references
    images: float | None = None  # of differences to add, all alike, from other held-out images
    pairing: Pairing | None = None


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    floors: dict[str, Floor]  # by metric
    unpaired: dict[str, dict[int, list[str]]]  # what differs, by label and pair id left out
    other_kernels: dict[str, list[int]]  # pair ids computed by other kernels than add's, by label
    trial_seconds: float | None  # time of one trial of `add`, with evaluation
    extractor: str
    outcome: sweeps.SweepResult

    @property
    def measured(self) -> bool:
        """Whether there is a deviation to show."""
        return any(each.pairing for each in self.floors.values())

    @property
    def interrupted(self) -> bool:
        return self.outcome.interrupted

    @property
    def failed(self) -> bool:
        return self.outcome.failed > 0

    def summary(self) -> dict[str, Any]:
        """Return the result as plain values, for a program to read."""
        return asdict(self)


def noise_floor(
    task: str, overrides: Iterable[str] = (), run: sweeps.RunSweep = sweeps.sweep
) -> NoiseFloor:
    """Run the trials that are not in the ledger, and split the variance.

    run: `sweep` with all arguments given but the space and the overrides. BadInput as in `design`.
    """
    overrides = design(task, overrides)
    space = checked_space(str(SPACE), overrides)
    outcome = run(str(SPACE), overrides)
    rows = last_rows(ledger.read_ledger(outcome.folder / "ledger"), space)
    broken, rows = unpaired(rows), whole(rows)
    return NoiseFloor(
        floors={metric: floor(rows, metric) for metric in COMPARED},
        unpaired=broken,
        other_kernels=computed_otherwise(rows),
        trial_seconds=trial_seconds(rows.get(BASELINE, {}).values()),
        extractor=space.ground.task.extractor,
        outcome=outcome,
    )


def design(task: str, overrides: Iterable[str] = ()) -> list[str]:
    """Return the overrides to sweep SPACE with; BadInput if they leave nothing to compare."""
    overrides = [f"task={task}", *overrides]
    space = checked_space(str(SPACE), overrides)
    redraws = space.ground.evaluation.redraws
    labels = [c.variant.label for c in space.grid()]
    if BASELINE not in labels or len(labels) < 2 or redraws < 2:
        raise BadInput(
            "a noise floor needs `add` and another variant, and evaluation.redraws of 2 or more; "
            f"here are {', '.join(labels)} and {redraws}"
        )
    space.need_pairs()
    return overrides


def last_rows(rows: list[dict[str, Any]], space: SearchSpace) -> LastRows:
    """Return the last rows of the trials that ended well."""
    ended = ledger.finished(rows)
    last: LastRows = {}
    for configuration in space.grid():
        trials = (configuration.trial(seed, "confirm") for seed in space.seeds)
        ends = ((t.pair_id, ended.get(ledger.key(t))) for t in trials)
        last[configuration.variant.label] = {
            pair: row for pair, row in ends if row is not None and row["status"] == "ok"
        }
    return last


def unpaired(rows: LastRows) -> dict[str, dict[int, list[str]]]:
    """Return what trials did not share with `add` of the same pair id, by label and pair id."""
    base = rows.get(BASELINE, {})
    broken = {}
    for label, own in rows.items():
        both = own.keys() & base.keys()
        whats = {pair: differences([own[pair]], [base[pair]]) for pair in both}
        broken[label] = {pair: what for pair, what in whats.items() if what}
    return {label: own for label, own in broken.items() if own}


def whole(rows: LastRows) -> LastRows:
    """Return the rows without those of trials that did not share all with `add`."""
    broken = unpaired(rows)
    return {
        label: {pair: row for pair, row in own.items() if pair not in broken.get(label, {})}
        for label, own in rows.items()
    }


def computed_otherwise(rows: LastRows) -> dict[str, list[int]]:
    """Return the pair ids that other kernels computed than those of `add`, by label."""
    base = rows.get(BASELINE, {})
    pairs = {
        label: sorted(p for p in own.keys() & base.keys() if other_kernels([own[p]], [base[p]]))
        for label, own in rows.items()
    }
    return {label: own for label, own in pairs.items() if own}


def floor(rows: LastRows, metric: str) -> Floor:
    """Return the noise of a metric, pooled over routings, on the pair ids that all have."""
    series = [each for each in METRICS[metric].series if each.redrawn]
    redraws = [each for each in series if each.redrawn != IMAGES]
    complete = [
        {pair for pair, row in own.items() if _measured(row, metric, redraws)}
        for own in rows.values()
    ]
    pairs = sorted(set.intersection(*complete))
    if len(pairs) < 2:
        return Floor(pairs=len(pairs))
    split = {series.redrawn: _components(rows, pairs, series) for series in redraws}
    values = {name: np.log([own[pair][metric] for pair in pairs]) for name, own in rows.items()}
    base = values.pop(BASELINE)
    return Floor(
        pairs=len(pairs),
        training=next((each.trials for each in split.values()), None),
        images=next((_images(rows, pairs, s) for s in series if s.redrawn == IMAGES), None),
        pairing=pairing(base, np.array([*values.values()])),
        **{redrawn: each.redraws for redrawn, each in split.items()},
    )


def _components(rows: LastRows, pairs: list[int], series: Series) -> Components:
    """The components of a series, crossed if all trials are measured with the same draws."""
    draws = [[own[pair][series.column] for pair in pairs] for own in rows.values()]
    return (crossed if series.shared else nested)(np.log(draws))


def _images(rows: LastRows, pairs: list[int], series: Series) -> float | None:
    """What other held-out images would add to the differences to `add` of all pair ids alike.

    No seed tells it, for all are measured on the same ones; what images add to each by itself is
    part of the difference within pairs. None where rows are older than the column.
    """
    draws = {name: [own[pair].get(series.column) for pair in pairs] for name, own in rows.items()}
    if not all(each for own in draws.values() for each in own):
        return None
    base = np.log(draws.pop(BASELINE))
    return common(np.log([*draws.values()]) - base)


def _measured(row: dict[str, Any], metric: str, redraws: list[Series]) -> bool:
    several = [row.get(series.column) for series in redraws]
    return row[metric] is not None and all(v and None not in v for v in several)


def trial_seconds(rows: Iterable[dict[str, Any]]) -> float | None:
    """Return the median wall time of trials, given their last rows."""
    seconds = [row["train_seconds"] + row["eval_seconds"] for row in rows]
    return float(np.median(seconds)) if seconds else None
