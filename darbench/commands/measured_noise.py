"""The noise of a task: what all leaderboards in a folder have measured, or its card records."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.analysis.comparison import BASELINE
from darbench.analysis.deviation import PAIRED, Deviation, pooled, shared_freedom
from darbench.commands.noise_floor import SPACE, LastRows, trial_seconds, whole
from darbench.records.canonical import canonical_json
from darbench.records.protocol import protocol_hash
from darbench.records.trial import Trial
from darbench.search.feasible import checked_space
from darbench.search.hours import card_hours
from darbench.search.space import SearchSpace
from darbench.store import ledger

MOST_NAMED = 3  # leaderboards by name in a source

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise of one metric of a task: standard deviations of its log."""

    pair: Deviation  # of the differences within pairs
    seed: Deviation  # of one trial
    pairs: int  # number of measured pair ids
    variants: int  # number of variants whose differences to `add` are pooled
    seconds: float | None  # time of one trial of add
    source: str


def rows_of_task(task: str, out: str | Path) -> dict[Path, Rows]:
    """Return the rows of a task in every leaderboard under a folder that has some."""
    folders = sorted(path.parent for path in Path(out).glob("*/ledger"))
    rows = {folder: ledger.read_ledger(folder / "ledger") for folder in folders}
    own = {folder: [r for r in each if r["task"] == task] for folder, each in rows.items()}
    return {folder: each for folder, each in own.items() if each}


def measured(space: SearchSpace, rows: dict[Path, Rows], metric: str) -> Noise | None:
    """The noise in the trials of the space's recipe, whatever their variants; None if too few."""
    recipe = next(space.grid()).trial(space.seeds[0], "confirm")
    ended = {folder: [r for r in own if _is_of(recipe, r, metric)] for folder, own in rows.items()}
    folders = [folder for folder, own in ended.items() if own]
    last = whole(_by_entry(row for own in ended.values() for row in own))
    logs = {
        name: {pair: math.log(row[metric]) for pair, row in own.items()}
        for name, own in last.items()
    }
    base = logs.get(BASELINE, {})
    others = [own for name, own in logs.items() if name != BASELINE]
    shared = [{p: own[p] - base[p] for p in own.keys() & base.keys()} for own in others]
    pair = pooled(shared, PAIRED)
    if pair is None:
        return None
    compared = [own for own in shared if len(own) >= 2]
    return Noise(
        pair=pair,
        seed=pooled([base, *others], 1.0),  # a pair id moves all variants nearly alike
        pairs=len(set().union(*compared)),
        variants=len(compared),
        seconds=trial_seconds(last[BASELINE].values()),
        source=_named(folders),
    )


def recorded(space: SearchSpace, metric: str) -> Noise | None:
    """The noise that the card records, if it was measured with this recipe."""
    task = space.ground.task
    card = checked_space(str(SPACE), [f"task={task.name}"])
    if metric not in task.noise or _recipe(space) != _recipe(card):
        return None
    timed = card_hours(task)
    noise, variants = task.noise[metric], len([*card.grid()]) - 1
    pairs = set(range(noise["pairs"]))
    return Noise(
        pair=Deviation(value=noise["pair"], freedom=shared_freedom([pairs] * variants, PAIRED)),
        seed=Deviation(value=noise["seed"], freedom=len(pairs) - 1),
        pairs=len(pairs),
        variants=variants,
        seconds=3600 * timed[1] if timed else None,
        source=f"the card of {task.name}",
    )


def _is_of(recipe: Trial, row: dict[str, Any], metric: str) -> bool:
    """Whether a row ended well a trial of this recipe, of any routing."""
    if not row["final"] or row["status"] != "ok" or not row[metric]:
        return False
    config, wanted = json.loads(row["config_json"]), recipe.configuration()
    one, other = ([each[key] for key in ("training", "model")] for each in (config, wanted))
    same = canonical_json(one) == canonical_json(other)
    return same and row["protocol_hash"] == protocol_hash(recipe)


def _by_entry(rows: Iterable[dict[str, Any]]) -> LastRows:
    """The rows by configuration and pair id, those of `add` under its name.

    Of several sources of a routing the one with most pair ids counts: they are hardly independent.
    """
    sources: dict[str, dict[str, dict[int, dict[str, Any]]]] = {}
    for row in rows:
        name = BASELINE if row["routing"] == BASELINE else row["config_hash"]
        by_source = sources.setdefault(name, {})
        by_source.setdefault(row["variant_code_hash"] or "", {})[row["pair_id"]] = row
    return {name: max(each.values(), key=len) for name, each in sources.items()}


def _recipe(space: SearchSpace) -> list[str]:
    return [c.trial(0, "confirm").config_hash for c in space.grid()]


def _named(folders: list[Path]) -> str:
    if len(folders) > MOST_NAMED:
        return f"{len(folders)} leaderboards in {folders[0].parent}"
    return ", ".join(map(str, folders))
