"""The keys of a space, `darbench: sweep` in its defaults list: their types, defaults and meaning.

docs/settings.py writes docs/settings.md from them.
"""

from dataclasses import dataclass, field
from typing import Any

from darbench.records.setting import setting
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.search.seeds import CONFIRM_SEEDS, GRID_SEEDS, SEARCH_SEEDS, TUNE_SEEDS


@dataclass(kw_only=True)
class Confirm:
    """The second pass of a search: the best configurations on fresh seeds."""

    top: int = setting(3, doc="how many of the best are run again; 0 is none")
    seeds: list[int] = setting([*CONFIRM_SEEDS], doc="fresh pair ids to run them on")


@dataclass(kw_only=True)
class Tuned:
    """The tuned track of a grid: every variant at its own best, beside the fixed track."""

    trials: int = setting(8, doc="quasi-random points in the ranges of `tune.over`")
    seeds: list[int] = setting([*TUNE_SEEDS], doc="pair ids to try them on, which rank nothing")
    over: dict[str, Any] = setting(
        {},
        doc="settings that every variant tunes, `add` included: `{training.lr: {low: 1e-3, high: "
        "2e-2, log: true}, params.lr_mult: [1, 10]}` tries every value of a list at every point "
        "of the ranges, and ranks each variant at its best; `0.5x` is half of what the task sets",
    )


@dataclass(kw_only=True)
class Coarse:
    """The first look of a grid at all its grounds, which chooses those that `seeds` run on."""

    seeds: list[int] = setting(
        [],
        doc="pair ids to run every ground on first, such as `[3000, 3001]`; `seeds` then run "
        "where a variant differs from `add` there, and without any on every ground",
    )


@dataclass(kw_only=True)
class Pruned:
    """How a search stops configurations that promise little; it stops none unless told to."""

    pruner: str = setting(
        "none",
        doc="`none`, `halving`, `hyperband`, `median` or `wilcoxon`, of Optuna: who stops "
        "configurations of a search; their seeds then run one after another",
    )
    after: int = setting(
        1, doc="checkpoints, counted over a configuration's seeds, before it may be stopped"
    )
    factor: int = setting(
        3, doc="of `halving` and `hyperband`: the best one in so many goes on from a rung"
    )
    startup: int = setting(5, doc="of `median`: configurations that must have ended before")
    level: float = setting(0.1, doc="of `wilcoxon`, which is asked when a seed ends: its p value")


@dataclass(kw_only=True)
class SweepConfig:
    """The keys, types and defaults of a space: `darbench: sweep` in its defaults list."""

    name: str = setting(
        "", doc="folder and title of the leaderboard; the file's name unless given"
    )
    summary: str = setting("", doc="what `darbench list spaces` says of it")
    sampler: str = setting(
        "grid",
        doc="`grid`, or a search that draws `trials` configurations: `random`, `halton` (evenly "
        "spread), `tpe`, `cmaes` (for the ranges of one variant), or `nsga2` (two `objectives`)",
    )
    seeds: list[int] | None = setting(
        None,
        doc="pair ids: trials with the same one share all random streams; null is "
        f"{[*GRID_SEEDS]} for a grid, {[*SEARCH_SEEDS]} for a search",
    )
    objectives: list[str] = setting(
        [],
        doc="of `nsga2`: the metric that ranks, then what it is held against, `train_flops`, "
        "`peak_mem_bytes`, `params_total` or `step_ms_p50`",
    )
    trials: int = setting(20, doc="configurations that a search draws")
    retries: int = setting(
        1,
        doc="how often a sweep tries a trial again whose process died or had no memory left; what "
        "raises is tried again by the next command alone",
    )
    notify: str = setting(
        "",
        doc="a command that is run when trials have failed and when the sweep has ended, without "
        "a shell and for 30 seconds at most: DARBENCH_EVENT is `failure`, `end`, `interrupted` or "
        "`stopped`, DARBENCH_MESSAGE a line on it, and standard input the counts as JSON",
    )
    trackers: list[str] = setting(
        [],
        doc="`tensorboard` and `wandb`, which are shown the measured numbers of every row; "
        "WANDB_MODE=offline keeps the latter's in the leaderboard's folder",
    )
    confirm: Confirm = field(default_factory=Confirm)
    warm_start: str = setting(
        "",
        doc="another leaderboard, by its name beside this one or its folder, from whose search "
        "`tpe`, `cmaes` and `nsga2` learn first",
    )
    prune: Pruned = field(default_factory=Pruned)
    variants: list[Any] = setting(
        [],
        doc="what is compared: `routing`, and `params`, `model`, `training` and `label` where "
        "they differ; `control`, true for what is no routing to rank; `match`, `{flops: LABEL}` "
        "or `{parameters: LABEL}`, for `add` widened to the cost of another",
    )
    controls: list[Any] = setting(
        [{"routing": "add"}],
        doc="variants that must do worse than `add`, for `darbench sensitivity`",
    )
    axes: dict[str, Any] = setting(
        {},
        doc="settings that multiply the space, such as `{model.patch: [2, 4], task: [digits-nano, "
        "shapes-nano]}`: each of their combinations is a comparison of its own; `4x` is four "
        "times what the task sets",
    )
    coarse: Coarse = field(default_factory=Coarse)
    tune: Tuned = field(default_factory=Tuned)
    task: Task = field(default_factory=Task)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)
