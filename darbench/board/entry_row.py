"""The row of one entry in a leaderboard: how it stands, what it reached, what it costs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from statistics import median
from types import UnionType
from typing import Any, get_args, get_type_hints

import polars as pl

from darbench.analysis.comparison import judged_effect
from darbench.analysis.effects import Effect
from darbench.analysis.outcomes import Entry, Outcome
from darbench.board.history import History
from darbench.board.marks import joined, marks
from darbench.records.metric import METRICS, Metric
from darbench.records.schema import DIAGNOSIS, EARLY

_POLARS = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
# What a diagnosis says of a trial, and what an early one does.
MECHANISM = tuple(f"{name}{suffix}" for suffix in ("", EARLY) for name in DIAGNOSIS)
_COMPARISON = ("effect", "low", "high", "n", "p", "p_adjusted", "chance")
_SEVERAL = ("metrics", "mechanism")  # fields that stand for several columns


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An entry's result in one metric: the mean over seeds, and the paired difference to `add`.

    The difference of `add` to itself is 0, and nothing more is said of it.
    """

    mean: float | None = None
    error: float | None = None  # standard error of one trial's value
    # The paired difference is a fraction: -0.02 is 2 % below the baseline. Then follow its 95 %
    # t interval and its number of seeds, and its p value if those are all declared ones.
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    p: float | None = None
    p_adjusted: float | None = None  # over all variants of the section; of the rank metric alone
    chance: float | None = None  # that a further seed lies below the baseline

    @classmethod
    def of(cls, entry: Entry, base: Entry | None, metric: Metric) -> "Standing":
        error = entry.error(metric.name) if metric.error else None
        effect = _effect(entry, base, metric)
        return cls(mean=entry.mean(metric.name), error=error, **_comparison(effect))


def _effect(entry: Entry, base: Entry | None, metric: Metric) -> Effect | None:
    if base is None or not metric.compared:
        return None
    if base is not entry:
        return judged_effect(entry, base, metric.name)
    seeds = len(entry.done(metric.name))
    return Effect(0.0, None, None, seeds, None) if seeds else None


def _comparison(effect: Effect | None) -> dict[str, Any]:
    if effect is None:
        return {}
    return {
        "effect": effect.mean,
        "low": effect.low,
        "high": effect.high,
        "n": effect.n,
        "p": effect.p_value,
        "chance": effect.chance,
    }


@dataclass(frozen=True, kw_only=True)
class EntryRow:
    """One entry of a leaderboard.

    Its fields are the columns of `Leaderboard.frame`; `metrics` stands for several columns per
    metric, see `metric_columns`, and `mechanism` for those of MECHANISM.
    """

    rank: int | None = None
    tier: int | None = None
    entry: str  # the hashes of its configuration and of its source
    label: str
    routing: str
    baseline: bool  # an `add` entry, with which others are compared
    control: bool  # declared as one: shown beside the routings, neither ranked nor tested
    against: str | None  # the entry it is compared with
    mark: str  # a warning about the entry; empty where all is in order
    stale: bool
    split: str
    seeds: int  # how many reached the budget
    seeds_declared: int  # how many must reach it for a score
    failures: int
    diverged: int  # of the failures those that no sweep runs again
    dead: int  # trials whose router died
    trials: int
    versions: int  # earlier sources of its routing, which count in the correction
    first_ranked: int | None  # with how many seeds
    looks: int  # how often it was ranked again with more seeds
    # What ranks it: the geometric mean of its ratios to the leaderboard's reference, over the
    # seeds that both have. None for an entry that is not ranked.
    score: float | None
    metrics: Mapping[str, Standing] = field(default_factory=dict)  # by the metric's name
    mechanism: Mapping[str, float | None] = field(default_factory=dict)  # by column, over trials
    flops_routing_share: float | None
    params_total: int | None
    params_routing: int | None
    step_ms_p50: float | None
    step_time_ratio: float | None  # own step time over the baseline's, on the same machine
    peak_mem_bytes: float | None
    memory_ratio: float | None  # peak memory over the baseline's, on the same machine
    train_seconds: float | None  # in training steps, of one seed
    created: str | None  # the day of its newest result
    # The effect on the metric that ranks where the settings were tuned, or where this is the tuned
    # track: where they are as they were set.
    other_effect: float | None = None
    other_low: float | None = None
    other_high: float | None = None
    config_json: str
    params_json: str
    config_hash: str
    variant_code_hash: str | None

    @classmethod
    def of(
        cls,
        entry: Entry,
        base: Entry | None,
        rank_by: str,
        score: float | None,
        past: History,
        tuned: Collection[str] = (),
    ) -> "EntryRow":
        """Make the row, without rank, tier and correction, which need the other rows.

        In settings that are `tuned` an entry and its baseline may differ.
        """
        done = entry.done(rank_by)
        head = entry.head
        return cls(
            entry=entry.name,
            label=entry.label,
            routing=head["routing"],
            baseline=base is entry and not entry.stale,
            control=entry.control is not None,
            against=base and base.name,
            mark=joined(*marks(entry, base, rank_by, tuned), *past.marks),
            stale=entry.stale,
            split=entry.split,
            seeds=len(done),
            seeds_declared=len(entry.required),
            failures=sum(o.failed for o in entry.trials),
            diverged=entry.diverged,
            dead=sum(o.dead for o in entry.trials),
            trials=len(entry.trials),
            versions=past.versions,
            first_ranked=past.first_ranked,
            looks=past.looks,
            score=score,
            metrics={name: Standing.of(entry, base, m) for name, m in METRICS.items()},
            mechanism={name: entry.average(name) for name in MECHANISM},
            flops_routing_share=_shared(entry, "flops_routing_share"),
            params_total=_shared(entry, "params_total"),
            params_routing=_shared(entry, "params_routing"),
            step_ms_p50=_median(_recorded(entry, "step_ms_p50")),
            step_time_ratio=_ratio(entry, base, "step_own_ms_p50")
            or _ratio(entry, base, "step_ms_p50"),  # of rows from before there was the other
            peak_mem_bytes=_median(_recorded(entry, "peak_mem_bytes")),
            memory_ratio=_ratio(entry, base, "peak_mem_bytes"),
            train_seconds=_median([o.last["train_seconds"] for o in entry.trials if _trained(o)]),
            created=max((c[:10] for c in _recorded(entry, "created_utc")), default=None),
            config_json=head["config_json"],
            params_json=head["params_json"],
            config_hash=head["config_hash"],
            variant_code_hash=head["variant_code_hash"],
        )

    def columns(self) -> dict[str, Any]:
        """The values of the row, by name of the frame's column."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _SEVERAL}
        plain |= {name: self.mechanism.get(name) for name in MECHANISM}
        for name, metric in METRICS.items():
            standing = self.metrics.get(name, Standing())
            columns = metric_columns(metric)
            plain |= {column: getattr(standing, part) for column, part in columns.items()}
        return plain


def metric_columns(metric: Metric) -> dict[str, str]:
    """A map from column of the frame to field of Standing, for the fields that the metric has."""
    columns = {metric.name: "mean"}
    if metric.error:
        columns[metric.error_column] = "error"
    if metric.compared:
        columns |= {f"{metric.name}_{part}": part for part in _COMPARISON}
    return columns


def to_frame(rows: Iterable[EntryRow]) -> pl.DataFrame:
    """Return the rows as a polars table, in their order."""
    schema = {f: _kind(h) for f, h in get_type_hints(EntryRow).items() if f not in _SEVERAL}
    schema |= dict.fromkeys(MECHANISM, pl.Float64)
    parts = get_type_hints(Standing)
    for metric in METRICS.values():
        schema |= {c: _kind(parts[part]) for c, part in metric_columns(metric).items()}
    return pl.DataFrame([row.columns() for row in rows], schema=schema, strict=True)


def _kind(hint: Any) -> pl.DataType:
    """The polars type of an annotation such as `int | None`."""
    return _POLARS[get_args(hint)[0] if isinstance(hint, UnionType) else hint]


def _recorded(entry: Entry, column: str) -> list[Any]:
    return [o.last[column] for o in entry.trials if o.last[column] is not None]


def _trained(outcome: Outcome) -> bool:
    """Whether a trial reached the budget and tells how long its training took."""
    return bool(outcome.values) and outcome.last["train_seconds"] is not None


def _shared(entry: Entry, column: str) -> Any:
    """A value that all trials of an entry share, taken from the first that has it."""
    return next(iter(_recorded(entry, column)), None)


def _ratio(entry: Entry, base: Entry | None, column: str) -> float | None:
    """The median ratio over pairs run on one hardware class with equally many threads."""
    if base is None:
        return None
    theirs = {_machine(o.last): o.last[column] for o in base.of(entry.split)}
    pairs = ((o.last[column], theirs.get(_machine(o.last))) for o in entry.trials)
    return _median([ours / other for ours, other in pairs if ours and other])


def _median(values: list[float]) -> float | None:
    return median(values) if values else None


def _machine(row: dict[str, Any]) -> tuple:
    return row["pair_id"], row["device"], row["hw_class"], row["threads"]
