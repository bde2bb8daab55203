"""The seeds and hours that it takes to see an effect: `darbench plan`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.analysis.effects import SIGNIFICANT
from darbench.analysis.power import seeds_needed
from darbench.command_line import command_line
from darbench.commands.measured_noise import SPACE, Noise, measured, recorded, rows_of_task
from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED
from darbench.search.compose import compose_space
from darbench.search.feasible import checked_space
from darbench.search.space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a comparison in one metric.

    `hours` is the time of all trials of a paired comparison, with those of `add`, one after
    another; None where no trial has been timed.
    """

    metric: str
    extractor: str
    effect: float
    deviation: float  # measured standard deviation of the log differences of paired trials
    interval: tuple[float, float]  # that holds the true one with a chance of 95 %
    planned: float  # the bound below which the true one lies with a chance of 80 %
    pairs: int  # number of pair ids behind that deviation
    compared: int  # number of variants behind it
    significance: float  # the p value of one variant must lie below it
    paired: int | None  # number of seeds; None above power.MOST
    unpaired: int | None
    trials: int | None
    hours: float | None
    source: str  # where the noise was measured


def plan(
    task: str,
    effect: float,
    overrides: Iterable[str] = (),
    *,
    metric: str = "",
    variants: int = 1,
    out: str | Path = "leaderboards",
) -> Plan:
    """Plan how many seeds separate a relative effect, a fraction, of each variant from `add`.

    Each is tested at the level of the smallest p value in Hochberg's procedure, which the board
    takes: the usual one divided by `variants`. That is exact if the others do not differ, and
    conservative if they do. The noise is what all leaderboards under `out` measured with this
    recipe, or what the task's card records, whichever is known better; the plan is for the upper
    bound of its deviation, for one that was measured on few pairs may be far too small. BadInput,
    with the command that measures it, if there is neither.
    """
    overrides = [f"task={task}", *overrides]
    values = compose_space(str(SPACE), overrides)
    card = values["grounds"][0]["task"]
    metric = metric or card["rank_by"]
    if metric not in COMPARED:
        raise unknown("metric", metric, COMPARED)
    rows = rows_of_task(card["name"], out)
    if metric not in card["noise"] and not rows:
        raise _unmeasured(values, metric, overrides, out)  # before any data are read
    space = checked_space(str(SPACE), overrides)
    sources = [*filter(None, [measured(space, rows, metric), recorded(space, metric)])]
    if not sources:
        raise _unmeasured(values, metric, overrides, out)
    noise = max(sources, key=lambda each: each.pair.freedom)  # the measured one, if equal
    return _plan(space, noise, effect, metric=metric, variants=variants)


def _plan(space: SearchSpace, noise: Noise, effect: float, *, metric: str, variants: int) -> Plan:
    significance = SIGNIFICANT / variants
    level = 1 - significance
    seeds = seeds_needed(effect, noise.pair.upper, level=level)
    trials = seeds and seeds * (variants + 1)
    return Plan(
        metric=metric,
        extractor=space.ground.task.extractor,
        effect=effect,
        deviation=noise.pair.value,
        interval=noise.pair.interval,
        planned=noise.pair.upper,
        pairs=noise.pairs,
        compared=noise.variants,
        significance=significance,
        paired=seeds,
        unpaired=seeds_needed(effect, noise.seed.upper, paired=False, level=level),
        trials=trials,
        hours=trials * noise.seconds / 3600 if trials and noise.seconds else None,
        source=noise.source,
    )


def fraction(text: str) -> float:
    """Read an effect such as 2%, 0.02 or -2% as a fraction; BadInput if it is not one."""
    share = text.endswith("%")
    try:
        value = float(text.removesuffix("%")) / (100 if share else 1)
    except ValueError:
        value = math.nan
    if not share and abs(value) >= 1 and math.isfinite(value):
        raise BadInput(f"effect {text}: write {text}%, or {100 * value:g}% if that is meant")
    if not (-1 < value < math.inf and value != 0):
        raise BadInput(
            f"effect {text}: must be a change of the metric, above -100% and not 0, such as 2%"
        )
    return value


def _unmeasured(
    values: dict[str, Any], metric: str, overrides: list[str], out: str | Path
) -> BadInput:
    task, trials = values["grounds"][0]["task"], len(values["variants"]) * len(values["seeds"])
    settings = " with these settings and this source of the routings"
    each = next((f" of {h:.2g} hours on {where}" for where, h in task["hours"].items()), "")
    words = ["darbench", "noise-floor", "--task", task["name"], *overrides[1:]]
    return BadInput(
        f"the noise of {metric} on {task['name']} has not been measured"
        f"{settings if metric in task['noise'] else ''}; {trials} trials{each} do it: "
        f"{command_line(words, out)}"
    )
