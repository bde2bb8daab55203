"""The seeds and hours that it takes to see an effect: `darbench plan`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.analysis.comparison import BASELINE
from darbench.analysis.effects import SIGNIFICANT
from darbench.analysis.power import seeds_needed
from darbench.command_line import command_line
from darbench.commands import noise_floor
from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED
from darbench.search.compose import compose_space
from darbench.search.feasible import checked_space
from darbench.search.space import SearchSpace
from darbench.store import ledger


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a comparison in one metric.

    `hours` is the time of all trials of a paired comparison, with those of `add`, one after
    another; None where no trial has been timed.
    """

    metric: str
    extractor: str
    effect: float
    deviation: float  # standard deviation of the log differences of paired trials
    pairs: int  # number of pair ids behind that deviation
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

    Each is tested at the level of the first of Holm's steps, which the board takes: the usual one
    divided by `variants`. That is exact for this hardest step and conservative for the others.
    The noise is that of the noise floor under `out` or in the task's card, whichever has more
    pair ids. BadInput, with the command that measures it, if there is neither.
    """
    overrides = [f"task={task}", *overrides]
    values = compose_space(str(noise_floor.SPACE), overrides)
    metric = metric or values["task"]["rank_by"]
    if metric not in COMPARED:
        raise unknown("metric", metric, COMPARED)
    folder = Path(out) / values["name"]
    if metric not in values["task"]["noise"] and not (folder / "ledger").is_dir():
        raise _unmeasured(values, metric, overrides, out)  # before any data are read
    space = checked_space(str(noise_floor.SPACE), overrides)
    sources = [*filter(None, [_measured(space, folder, metric), _recorded(space, metric)])]
    if not sources:
        raise _unmeasured(values, metric, overrides, out)
    noise = max(sources, key=lambda each: each.pairs)  # the first, the measured one, if equal
    significance = SIGNIFICANT / variants
    level = 1 - significance
    seeds = seeds_needed(effect, noise.pair, level=level)
    trials = seeds and seeds * (variants + 1)
    return Plan(
        metric=metric,
        extractor=space.task.extractor,
        effect=effect,
        deviation=noise.pair,
        pairs=noise.pairs,
        significance=significance,
        paired=seeds,
        unpaired=seeds_needed(effect, noise.seed, paired=False, level=level),
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


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise of one metric of a task: standard deviations of its log."""

    pair: float  # deviation of the differences within pairs
    seed: float  # deviation of one trial
    pairs: int  # number of measured pair ids
    seconds: float | None  # time of one trial of add
    source: str


def _measured(space: SearchSpace, folder: Path, metric: str) -> Noise | None:
    rows = noise_floor.whole(noise_floor.last_rows(ledger.read_ledger(folder / "ledger"), space))
    measured = noise_floor.floor(rows, metric)
    if measured.pairing is None:
        return None
    seconds = noise_floor.trial_seconds(rows[BASELINE].values())
    return Noise(
        pair=measured.pairing.pair,
        seed=measured.pairing.seed,
        pairs=measured.pairs,
        seconds=seconds,
        source=str(folder),
    )


def _recorded(space: SearchSpace, metric: str) -> Noise | None:
    """The noise that the card records, if it was measured with this recipe."""
    task = space.task
    card = checked_space(str(noise_floor.SPACE), [f"task={task.name}"])
    if metric not in task.noise or _recipe(space) != _recipe(card):
        return None
    seconds = 3600 * next(iter(task.hours.values())) if task.hours else None
    noise = {key: task.noise[metric][key] for key in ("pair", "seed", "pairs")}
    return Noise(**noise, seconds=seconds, source=f"the card of {task.name}")


def _unmeasured(
    values: dict[str, Any], metric: str, overrides: list[str], out: str | Path
) -> BadInput:
    task, trials = values["task"], len(values["variants"]) * len(values["seeds"])
    settings = " with these settings and this source of the routings"
    each = next((f" of {h:.2g} hours on {where}" for where, h in task["hours"].items()), "")
    words = ["darbench", "noise-floor", "--task", task["name"], *overrides[1:]]
    return BadInput(
        f"the noise of {metric} on {task['name']} has not been measured"
        f"{settings if metric in task['noise'] else ''}; {trials} trials{each} do it: "
        f"{command_line(words, out)}"
    )


def _recipe(space: SearchSpace) -> list[str]:
    return [space.trial(c, 0, "confirm").config_hash for c in space.grid()]
