"""Seeds and hours for an effect one wants to see: `darbench plan`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.analysis.comparison import BASELINE
from darbench.analysis.effects import SIGNIFICANT
from darbench.analysis.power import seeds_needed
from darbench.commands import noise_floor
from darbench.commands.command_line import command_line
from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED
from darbench.search import sweep as sweeps
from darbench.search.compose import compose_space
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
    pairs: int  # pair ids that tell of it
    significance: float  # below which the p value of one variant must lie
    paired: int | None  # seeds; None beyond power.MOST
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
    """Seeds that separate a relative effect, a fraction, of each of so many variants from `add`.

    Each is tested at the level of the first of Holm's steps, which the board takes: the usual one
    divided by `variants`. That is exact for this hardest step and conservative for the others.
    The noise is that of the noise floor measured under `out` or what the task's card records,
    whichever is of more pair ids. BadInput where neither exists, with the command that measures.
    """
    overrides = [f"task={task}", *overrides]
    known = compose_space(str(noise_floor.SPACE), overrides)
    metric = metric or known["task"]["rank_by"]
    if metric not in COMPARED:
        raise unknown("metric", metric, COMPARED)
    folder = Path(out) / known["name"]
    if metric not in known["task"]["noise"] and not (folder / "ledger").is_dir():
        raise _unmeasured(known, metric, overrides, out)  # that needs none of the task's data
    space = sweeps.checked_space(str(noise_floor.SPACE), overrides)
    sources = [*filter(None, [_measured(space, folder, metric), _recorded(space, metric)])]
    if not sources:
        raise _unmeasured(known, metric, overrides, out)
    noise = max(sources, key=lambda each: each.pairs)  # of as many, the measured one
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
    """2% and 0.02 are the same, and -2% is as good an effect; BadInput for what is none."""
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
    """The noise of one metric of a task: deviations of its log."""

    pair: float  # of the differences within pairs
    seed: float  # of one trial
    pairs: int  # pair ids measured
    seconds: float | None  # of one trial of add
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
    """The noise that the card records, if it speaks of this recipe."""
    task = space.task
    card = sweeps.checked_space(str(noise_floor.SPACE), [f"task={task.name}"])
    if metric not in task.noise or _recipe(space) != _recipe(card):
        return None
    seconds = 3600 * next(iter(task.hours.values())) if task.hours else None
    noise = {key: task.noise[metric][key] for key in ("pair", "seed", "pairs")}
    return Noise(**noise, seconds=seconds, source=f"the card of {task.name}")


def _unmeasured(
    known: dict[str, Any], metric: str, overrides: list[str], out: str | Path
) -> BadInput:
    task, trials = known["task"], len(known["variants"]) * len(known["seeds"])
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
