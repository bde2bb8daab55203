"""Overrides without effect: settings that a space or a trial of other settings does not use."""

from collections.abc import Iterable, Mapping
from typing import Any

from darbench.errors import BadInput
from darbench.search.prune import idle_settings

# Of a sweep alone, and what one trial has in their place.
SWEEP = {
    "seeds": "one trial has one; give --seed",
    "variants": "one trial has one; give --routing and params.KEY=VALUE",
} | dict.fromkeys(
    (
        "name",
        "summary",
        "sampler",
        "objectives",
        "trials",
        "warm_start",
        "prune",
        "confirm",
        "controls",
        "axes",
        "coarse",
        "tune",
        "notify",
        "trackers",
    ),
    "has no effect on one trial; leave it out",
)


def need_effect(values: Mapping[str, Any], overrides: Iterable[str]) -> None:
    """Raise BadInput for an override of a setting that a space of these values does not use."""
    idle = idle_settings(values["prune"])
    if values["sampler"] == "grid":
        for key in ("trials", "confirm"):
            idle[key] = "has no effect on a grid; add sampler=random or sampler=tpe"
    if not values["tune"]["over"]:
        for key in ("tune.trials", "tune.seeds"):
            idle[key] = "has no effect; say in tune.over what to tune"
    if values["evaluation"]["sampler"] == "adaptive":
        idle["evaluation.sampler_steps"] = "has no effect: `adaptive` chooses its steps"
    _refuse(idle, overrides)


def need_one_trial(overrides: Iterable[str]) -> None:
    """Raise BadInput for an override of what only a sweep has."""
    _refuse(SWEEP, overrides)


def _refuse(idle: Mapping[str, str], overrides: Iterable[str]) -> None:
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        for name, why in idle.items():
            if key == name or key.startswith(f"{name}."):
                raise BadInput(f"{override}: {why}")
