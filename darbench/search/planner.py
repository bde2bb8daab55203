"""Seeds and hours for an effect one wants to see: `darbench plan`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.board.cells import SIGNIFICANT
from darbench.board.outcomes import COMPARED
from darbench.errors import BadInput, unknown
from darbench.power import seeds_needed
from darbench.search import noise_floor
from darbench.search import sweep as sweeps
from darbench.search.space import SearchSpace
from darbench.store import ledger


@dataclass(frozen=True, kw_only=True)
class Plan:
    """For one metric. `hours` is the time of all trials of a paired comparison, `add` included,
    one after another; None where no trial has been timed."""

    metric: str
    extractor: str
    effect: float
    deviation: float  # of the log differences of paired trials
    significance: float  # below which the p value of one variant must lie
    paired: int | None  # seeds; None beyond power.MOST
    unpaired: int | None
    trials: int | None
    hours: float | None
    source: str  # where the noise was measured


def plan(
    task: str, effect: float, overrides: Iterable[str] = (), *,
    metric: str = "", variants: int = 1, out: str | Path = "leaderboards",
) -> Plan:  # fmt: skip
    """Seeds that separate a relative effect, a fraction, of each of so many variants from `add`.

    Each is tested at the level of the first of Holm's steps, which the board takes: the usual one
    divided by `variants`. That is exact for this hardest step and conservative for the others.
    The noise is that of the noise floor measured under `out`, or else what the task's card
    records. BadInput where neither exists.
    """
    space = sweeps.plan(str(noise_floor.SPACE), [f"task={task}", *overrides])
    metric = metric or space.task.rank_by
    if metric not in COMPARED:
        raise unknown("metric", metric, COMPARED)
    noise, seconds, source = _measured(space, Path(out), metric) or _recorded(space, metric)
    significance = SIGNIFICANT / variants
    level = 1 - significance
    seeds = seeds_needed(effect, noise["pair"], level=level)
    trials = seeds and seeds * (variants + 1)
    return Plan(
        metric=metric, extractor=space.task.extractor, effect=effect,
        deviation=noise["pair"], significance=significance, paired=seeds,
        unpaired=seeds_needed(effect, noise["seed"], paired=False, level=level), trials=trials,
        hours=trials * seconds / 3600 if trials and seconds else None, source=source,
    )  # fmt: skip


def fraction(text: str) -> float:
    """2% and 0.02 are the same; BadInput for what is no effect to look for."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise BadInput(f"effect {text}: must be between 0 and 1, such as 0.02 or 2%")
    return value


def _measured(space: SearchSpace, out: Path, metric: str) -> tuple | None:
    folder = out / space.name
    rows = noise_floor.whole(noise_floor.last_rows(ledger.read_ledger(folder / "ledger"), space))
    found = noise_floor.floor(rows, metric).pairing
    if found is None:
        return None
    noise = {"pair": found.pair, "seed": found.seed}
    return noise, noise_floor.trial_seconds(rows[noise_floor.BASELINE].values()), str(folder)


def _recorded(space: SearchSpace, metric: str) -> tuple[dict[str, Any], float | None, str]:
    task = space.task
    card = sweeps.plan(str(noise_floor.SPACE), [f"task={task.name}"])
    if metric not in task.noise or _recipe(space) != _recipe(card):
        raise BadInput(
            f"the noise of {metric} on {task.name} has not been measured with these settings and "
            f"this source of the routings; run darbench noise-floor --task {task.name}"
        )
    seconds = 3600 * next(iter(task.hours.values())) if task.hours else None
    return task.noise[metric], seconds, f"the card of {task.name}"


def _recipe(space: SearchSpace) -> list[str]:
    return [space.trial(c, 0, "confirm").config_hash for c in space.grid()]
