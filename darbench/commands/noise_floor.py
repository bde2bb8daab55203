"""How much of a difference on a task is chance: `darbench noise-floor`.

A few routings train with the same pair ids; the final weights of every trial are measured again
with other random numbers (`evaluation.redraws`).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from darbench.analysis.comparison import BASELINE
from darbench.analysis.noise import Components, Pairing, crossed, nested, pairing
from darbench.analysis.pairing import differences
from darbench.errors import BadInput
from darbench.records.metric import COMPARED, METRICS, Series
from darbench.search import sweep as sweeps
from darbench.search.files import recipe
from darbench.search.space import SearchSpace
from darbench.store import ledger

SPACE = recipe("noise_floor")

LastRows = dict[str, dict[int, dict[str, Any]]]  # label of a routing -> pair id -> row


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The noise of one metric: standard deviations of its log, None where trials are too few."""

    pairs: int  # pair ids that all routings have
    training: float | None = None  # another pair id: weights, data order, noise and times
    generation: float | None = None  # other noise to generate from
    metric: float | None = None  # other validation noise, or another reference
    pairing: Pairing | None = None


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    floors: dict[str, Floor]  # by metric
    unpaired: dict[str, dict[int, list[str]]]  # label -> pair id left out -> what differs
    trial_seconds: float | None  # of one `add` trial, evaluation included
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
        """Plain values, for a machine to read."""
        return asdict(self)


def noise_floor(
    task: str, overrides: Iterable[str] = (), run: sweeps.RunSweep = sweeps.sweep
) -> NoiseFloor:
    """Run what its ledger does not hold, and split the variance.

    run: `sweep`, with what it shall know beside the space and the overrides. BadInput as of
    `design`.
    """
    overrides = design(task, overrides)
    space = sweeps.checked_space(str(SPACE), overrides)
    outcome = run(str(SPACE), overrides)
    rows = last_rows(ledger.read_ledger(outcome.folder / "ledger"), space)
    broken, rows = unpaired(rows), whole(rows)
    return NoiseFloor(
        floors={metric: floor(rows, metric) for metric in COMPARED},
        unpaired=broken,
        trial_seconds=trial_seconds(rows.get(BASELINE, {}).values()),
        extractor=space.task.extractor,
        outcome=outcome,
    )


def design(task: str, overrides: Iterable[str] = ()) -> list[str]:
    """What to sweep SPACE with; BadInput where that leaves nothing to split."""
    overrides = [f"task={task}", *overrides]
    space = sweeps.checked_space(str(SPACE), overrides)
    labels = [c.variant.label for c in space.grid()]
    if BASELINE not in labels or len(labels) < 2 or space.evaluation.redraws < 2:
        raise BadInput(
            "a noise floor needs `add` and another variant, and evaluation.redraws of 2 or more; "
            f"here are {', '.join(labels)} and {space.evaluation.redraws}"
        )
    space.need_pairs()
    return overrides


def last_rows(rows: list[dict[str, Any]], space: SearchSpace) -> LastRows:
    """The row of each trial with which it ended well."""
    ended = ledger.finished(rows)
    last: LastRows = {}
    for configuration in space.grid():
        trials = (space.trial(configuration, seed, "confirm") for seed in space.seeds)
        known = ((t.pair_id, ended.get(ledger.key(t))) for t in trials)
        last[configuration.variant.label] = {
            pair: row for pair, row in known if row is not None and row["status"] == "ok"
        }
    return last


def unpaired(rows: LastRows) -> dict[str, dict[int, list[str]]]:
    """What trials did not share with that of `add` of their pair id: label -> pair id -> what."""
    base = rows.get(BASELINE, {})
    broken = {}
    for label, own in rows.items():
        both = own.keys() & base.keys()
        whats = {pair: differences([own[pair]], [base[pair]]) for pair in both}
        broken[label] = {pair: what for pair, what in whats.items() if what}
    return {label: own for label, own in broken.items() if own}


def whole(rows: LastRows) -> LastRows:
    """The rows, without those of trials that saw something else than `add` did."""
    broken = unpaired(rows)
    return {
        label: {pair: row for pair, row in own.items() if pair not in broken.get(label, {})}
        for label, own in rows.items()
    }


def floor(rows: LastRows, metric: str) -> Floor:
    """Pooled over the routings, on the pair ids that all of them have."""
    redraws = [series for series in METRICS[metric].series if series.redrawn]
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
        pairing=pairing(base, np.array([*values.values()])),
        **{redrawn: each.redraws for redrawn, each in split.items()},
    )


def _components(rows: LastRows, pairs: list[int], series: Series) -> Components:
    """Trials that are measured with the same draws are crossed with them."""
    draws = [[own[pair][series.column] for pair in pairs] for own in rows.values()]
    return (crossed if series.shared else nested)(np.log(draws))


def _measured(row: dict[str, Any], metric: str, redraws: list[Series]) -> bool:
    several = [row.get(series.column) for series in redraws]
    return row[metric] is not None and all(v and None not in v for v in several)


def trial_seconds(rows: Iterable[dict[str, Any]]) -> float | None:
    """Median wall time of trials by their last rows."""
    seconds = [row["train_seconds"] + row["eval_seconds"] for row in rows]
    return float(np.median(seconds)) if seconds else None
