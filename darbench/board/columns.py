"""Which columns a ranking has: the page holds the compact ones, its script adds all others."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from darbench.board.column import (
    ALL,
    COMPACT,
    COST,
    MECHANISM,
    PARAMETERS,
    PRESETS,
    QUALITY,
    ROBUSTNESS,
    Column,
)
from darbench.board.leaderboard import Leaderboard
from darbench.board.parameters import Parameter
from darbench.records.metric import COMPARED, HIGHER, METRICS, Metric
from darbench.records.schema import COLUMNS, DIAGNOSIS, EARLY

_EVERY = tuple(preset for preset in PRESETS if preset != ALL)
_PERCENT = {"scale": 100, "digits": 1}


def columns(board: Leaderboard) -> list[Column]:
    """Return the columns of which some entry has a value, and those that always stand."""
    first, extractor = METRICS[board.rank_by], board.extractor
    known = [_TIER, *_compared(first, extractor, _EVERY), _chance(first), _corrected(first)]
    known += _besides(first, extractor)
    for name in COMPARED:
        if name != first.name:
            known += _compared(METRICS[name], extractor, (COMPACT, QUALITY))
            known += _besides(METRICS[name], extractor)
    alone = (m for m in METRICS.values() if not m.compared and not m.beside)
    known += [_described(metric, extractor) for metric in alone]
    known += [*_COSTS, *_MECHANISM, *_RELIABLE, _other_track(bool(board.tuned)), *_ORIGIN]
    known += map(_parameter, board.parameters[1:])
    always = {_TIER.name, first.name, f"{first.name}_effect"}
    held = board.frame_with_parameters
    return [c for c in known if c.name in always or held[c.name].count()]


def table(board: Leaderboard, shown: Sequence[Column]) -> str:
    """Return the ranking as JSON: `columns`, and by name the `values` of all entries in order.

    Numbers have six significant digits.
    """
    names = dict.fromkeys(name for c in shown for name in (c.name, *c.beside))
    frame = board.frame_with_parameters
    values = {name: [_short(value) for value in frame[name]] for name in names}
    held = {"columns": [asdict(column) for column in shown], "values": values}
    return json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    short = float(f"{value:.6g}")
    return short if abs(short) < float("inf") else None


def _compared(metric: Metric, extractor: str, presets: tuple[str, ...]) -> list[Column]:
    title = metric.heading(extractor)
    effect = Column(
        name=f"{metric.name}_effect",
        title=f"{title} against add",
        doc=f"change of {metric.title_in(extractor)} against add at the same training FLOPs, with "
        "its 95 % paired t interval",
        kind="effect",
        presets=presets,
        **_PERCENT,
        axis="result" if presets is _EVERY else "",
        beside=(f"{metric.name}_low", f"{metric.name}_high"),
    )
    mean = Column(
        name=metric.name,
        title=title,
        doc=f"{metric.doc}; the mean over seeds",
        presets=(COMPACT, QUALITY),
        digits=metric.digits,
    )
    return [effect, mean]


def _besides(first: Metric, extractor: str) -> list[Column]:
    return [_described(m, extractor) for m in METRICS.values() if m.beside == first.name]


def _described(metric: Metric, extractor: str) -> Column:
    error = "; behind ± stands the standard error of one seed’s value" if metric.error else ""
    return Column(
        name=metric.name,
        title=metric.heading(extractor),
        doc=f"{metric.doc}{error}",
        presets=(QUALITY,),
        digits=metric.digits,
        down=metric.better == HIGHER,
        beside=(metric.error_column,) if metric.error else (),
    )


def _chance(metric: Metric) -> Column:
    return Column(
        name=f"{metric.name}_chance",
        title="Chance to be better",
        doc=f"that on one further seed its {metric.title} is below that of add, by the t "
        "distribution of a further draw; other variants are not counted",
        kind="chance",
        presets=(COMPACT, ROBUSTNESS),
        scale=100,
        down=True,
    )


def _corrected(metric: Metric) -> Column:
    return Column(
        name=f"{metric.name}_p_adjusted",
        title="p, corrected",
        doc="over all variants and their earlier versions (Hochberg)",
        presets=(ROBUSTNESS,),
        digits=2,
    )


def _other_track(tuned: bool) -> Column:
    where = "settings as they were set" if tuned else "tuned settings"
    return Column(
        name="other_effect",
        title=f"Against add, {where}",
        doc=f"its effect on the metric that ranks in the section of {where}, with its interval",
        kind="effect",
        presets=(ROBUSTNESS,),
        **_PERCENT,
        beside=("other_low", "other_high"),
    )


def _parameter(parameter: Parameter) -> Column:
    return Column(
        name=parameter.name,
        title=parameter.title,
        doc="as the entry sets it; empty where it has no such parameter",
        kind="number" if parameter.numeric else "text",
        presets=(PARAMETERS,),
        digits=4,
        axis="parameter",
    )


def _cost(name: str, title: str, doc: str, **more: Any) -> Column:
    return Column(name=name, title=title, doc=doc, **{"presets": (COST,)} | more)


def _reliable(name: str, title: str, doc: str, **more: Any) -> Column:
    usual = {"kind": "count", "presets": (ROBUSTNESS,)}
    return Column(name=name, title=title, doc=doc, **usual | more)


_TIER = Column(
    name="tier",
    title="Tier",
    doc="a new one opens where an entry is worse than the first of the current one",
    kind="count",
    presets=_EVERY,
)
_COSTS = (
    _cost(
        "flops_routing_share",
        "FLOPs beyond add",
        "share of a step’s training FLOPs that the routing takes",
        kind="percent",
        **_PERCENT,
        presets=(COMPACT, COST, PARAMETERS),
        axis="result",
    ),
    _cost(
        "step_time_ratio",
        "Step time against add",
        "of the time that is a step’s own, whatever else ran on the machine",
        kind="times",
        presets=(COMPACT, COST),
    ),
    _cost("step_ms_p50", "Step time, ms", "median of the training steps, other work included"),
    _cost("train_seconds", "Training, s", "seconds in the training steps of one seed"),
    _cost("memory_ratio", "Memory against add", "peak memory, on one machine", kind="times"),
    _cost("peak_mem_bytes", "Peak memory, GB", "10⁹ bytes", scale=1e-9),
    _cost("params_total", "Parameters", "of the whole model", kind="count"),
    _cost("params_routing", "Parameters of the routing", "of these the routing’s", kind="count"),
)
_TITLES = {  # of what the diagnosis of a model says
    "fwd_rms_ratio": "RMS, last over first block",
    "grad_decay_ratio": "Gradient, last over first block",
    "block_cosine": "Cosine of neighbouring blocks",
    "routing_entropy": "Entropy of a read, nat",
    "lookback_mean": "Look-back, sublayers",
    "t_sensitivity": "Variation over t",
    "probe_r2": "R² of t",
}
_MECHANISM = tuple(
    Column(
        name=f"{name}{suffix}",
        title=f"{_TITLES[name]}{after}",
        doc=f"{COLUMNS[name + suffix].doc}; the mean over seeds",
        presets=(MECHANISM,),
    )
    for suffix, after in (("", ""), (EARLY, ", early"))
    for name in DIAGNOSIS
)
_RELIABLE = (
    _reliable(
        "seeds",
        "Seeds",
        "how many reached the budget, of how many declared",
        kind="seeds",
        presets=(COMPACT, ROBUSTNESS),
        down=True,
        beside=("seeds_declared", "failures"),
    ),
    _reliable("failures", "Failures", "seeds that diverged, crashed or ran out of memory or time"),
    _reliable("dead", "Dead routers", "seeds whose routing got no gradient in half the steps"),
    _reliable("looks", "Looks", "how often it was ranked again with more seeds"),
    _reliable("versions", "Earlier versions", "sources of its routing, counted in the correction"),
)
_ORIGIN = (
    _reliable("score", "Score", "geometric mean ratio that ranks", kind="number", digits=4),
    _reliable("created", "Date", "day of its newest result", kind="text", down=True),
    Column(
        name="routing",
        title="Routing",
        doc="as it is registered",
        kind="text",
        presets=(PARAMETERS,),
        axis="parameter",
    ),
    Column(name="params_json", title="Settings", doc="of the routing", kind="text"),
)
