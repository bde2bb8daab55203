"""The schema of a result row, and the row made of a report.

Nothing here imports a third-party package, as in darbench.records.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from darbench.records.canonical import canonical_json, content_hash
from darbench.records.metric import LOSSES, SCORES, Metric
from darbench.records.protocol import protocol, protocol_hash
from darbench.records.trial import Report, Trial

SCHEMA_VERSION = 2
# In earlier versions a source hash was of the text: no source has it now, the rows are stale.
CODE_HASHED_SINCE = 2


@dataclass(frozen=True, kw_only=True)
class Column:
    name: str
    kind: str  # str | int | float | bool | floats
    doc: str
    unit: str = ""
    volatile: bool = False  # wall times and provenance: left out of the row hash
    hashed: bool = True  # False for what came later, so that the hashes of older rows stay


def _columns(kind: str, volatile: bool, *, hashed: bool = True, **docs: str) -> tuple[Column, ...]:
    of_kind = partial(Column, kind=kind, volatile=volatile, hashed=hashed)
    parts = ((name, *doc.partition(" | ")) for name, doc in docs.items())
    return tuple(of_kind(name=name, doc=doc, unit=unit) for name, doc, _, unit in parts)


def _measured(metrics: Iterable[Metric]) -> Iterator[Column]:
    """Yield a column for each metric, and after it one for its standard error."""
    for metric in metrics:
        of_metric = partial(Column, kind="float", unit=metric.unit, hashed=metric.hashed)
        yield of_metric(name=metric.name, doc=metric.doc)
        if metric.error:
            doc = f"its standard error over {metric.error}"
            yield of_metric(name=metric.error_column, doc=doc)


def _series(metrics: Iterable[Metric]) -> Iterator[Column]:
    """Yield the columns that hold several values of one metric."""
    for metric in metrics:
        for series in metric.series:
            yield Column(name=series.column, kind="floats", doc=series.doc, unit=metric.unit)


EARLY = "_early"  # ends the names of what is known after the first hundredth of the budget
# What the diagnosis of a model says, by name of the column.
DIAGNOSIS = {
    "fwd_rms_ratio": "RMS of what the last block hands on, over that of the first | 1",
    "grad_decay_ratio": "RMS of the loss' gradient by the outputs of the last block, over that of "
    "the first | 1",
    "block_cosine": "mean cosine of what a block hands on with what the next one does | 1",
    "routing_entropy": "mean entropy of a row of |A| / sum |A|, A the routing matrix | nat",
    "lookback_mean": "mean distance of a site from what it reads, by the same | sublayers",
    "t_sensitivity": "mean total variation of the same over t | 1",
    "probe_r2": "mean share of the variance of t that a block's state tells | 1",
}


SCHEMA: tuple[Column, ...] = (
    # keys
    *_columns("int", True, schema_version="version of the schema that the row was written in"),
    *_columns("str", True, row_hash="hash of what was measured: no wall times, no provenance"),
    *_columns("str", False, trial_id="hash of configuration, task and seed"),
    *_columns("int", False, step="optimiser steps done | steps"),
    *_columns("str", True, leaderboard="name of the sweep that wrote the row"),
    *_columns("str", False, task="name of the task"),
    *_columns("int", False, task_version="version of the task"),
    *_columns("str", False, rank_by="the metric column the task ranks by"),
    *_columns("str", False, split="search, confirm, heldout or control"),
    # variant
    *_columns(
        "str",
        False,
        routing="registered name of the routing",
        params_json="canonical JSON of all routing parameters",
        config_json="canonical JSON of the configuration without the seed",
        config_hash="hash of config_json",
        variant_code_hash="hash of the routing's source",
    ),
    *_columns("str", True, label="what the space calls the variant"),
    *_columns(
        "int",
        False,
        sites="sublayers, two per block",
        width="model width | features",
        heads="attention heads",
    ),
    # seeds
    *_columns("int", False, pair_id="replicate; variants of one pair id share all randomness"),
    *_columns(
        "str",
        False,
        audit_init="hash of the trunk's initial values: all parameters but the routing's",
        audit_data="chain of hashes of the items and labels of training steps 1 to audit_step",
        audit_noise="chain of hashes of the noise and times of training steps 1 to audit_step",
        audit_draws="chain of hashes of what the routing drew in training steps 1 to audit_step, "
        "empty where it drew nothing",
        audit_generation="hash of the noise and labels of the generated samples",
    ),
    *_columns("int", False, audit_step="largest power of two up to step | steps"),
    # compute
    *_columns("int", False, samples_seen="training samples seen | samples"),
    *_columns(
        "float",
        False,
        train_flops="training FLOPs so far, routing included | FLOP",
        budget_flops="training FLOPs of the whole budget | FLOP",
        flops_routing_share="share of a step's FLOPs beyond those of an add step | 1",
    ),
    *_columns("int", False, params_total="parameters", params_routing="those in the routing"),
    *_columns(
        "float",
        True,
        train_seconds="wall time in training steps | s",
        eval_seconds="wall time in evaluation | s",
        diagnose_seconds="wall time in the diagnosis, which neither of them holds | s",
        step_ms_p50="median wall time of a training step | ms",
        step_ms_p95="95th percentile of the wall time of a training step | ms",
        step_own_ms_p50="median of what other work does not lengthen: on the CPU the processor "
        "time of the training thread in a step, on CUDA the device's | ms",
    ),
    *_columns("int", True, peak_mem_bytes="peak memory of the CUDA device or CPU process | B"),
    *_columns("str", True, device="cpu or cuda", hw_class="processor or GPU model"),
    *_columns("int", True, threads="CPU threads of the trial"),
    # metrics
    *_measured(LOSSES),
    *_series((*LOSSES, *SCORES)),
    *_measured(SCORES),
    *_columns("int", False, n_gen="generated samples", n_ref="reference samples"),
    Column(name="n_fdr", kind="int", doc="images that either distance of fdr is of", hashed=False),
    Column(
        name="val_class_accuracy",
        kind="float",
        doc="class_accuracy of the held-out images",
        unit="1",
        hashed=False,
    ),
    *_columns(
        "str",
        False,
        extractor="feature extractor of fd, kid, inception_score, precision and recall",
        protocol_json="canonical JSON of the evaluation protocol, name by name",
        protocol_hash="hash of protocol_json",
    ),
    # the gradients of the routing's parameters; null where it has none
    *_columns(
        "float",
        False,
        hashed=False,
        routing_grad_zero="share of their values that were exactly zero, in all steps so far | 1",
        routing_grad_ratio="their RMS over that of the trunk's, over every 16th of the steps | 1",
        routing_dead_share="share of the steps, but for the first twentieth, in which all "
        "were exactly zero | 1",
    ),
    # the diagnosis of the trained model, in its last row, and an early one
    *_columns("float", False, hashed=False, **DIAGNOSIS),
    *_columns(
        "float",
        False,
        hashed=False,
        grad_norm_early="norm of the gradient by all but the routing's parameters, after a "
        "hundredth of the budget | 1",
        **{f"{name}{EARLY}": f"at the same step: {doc}" for name, doc in DIAGNOSIS.items()},
    ),
    # status
    *_columns("str", False, status="ok, pruned, diverged, oom, timeout or crashed"),
    *_columns("bool", False, final="the trial ended with this row"),
    *_columns("str", True, error="what went wrong, or why it was pruned, one line"),
    *_columns(
        "int",
        True,
        attempt="1 for the first run of the trial",
        resumed_from="steps that an earlier attempt had done when this one went on | steps",
    ),
    # provenance
    *_columns("int", True, arithmetic="version of the kernels that computed the trial"),
    *_columns("str", True, darbench_version="", git_sha="commit of darbench's source tree"),
    *_columns("bool", True, git_dirty="the source tree had uncommitted changes"),
    *_columns(
        "str",
        True,
        python="version of Python",
        torch="version of torch",
        cpu="processor model",
        data_fingerprint="hash of the training and validation data",
        ref_hash="hash of the reference set",
        created_utc="when the row was written",
    ),
)

COLUMNS: dict[str, Column] = {column.name: column for column in SCHEMA}


def _finite(value: Any) -> Any:
    """Return the value, with None in place of numbers that are not finite, also in a list."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [_finite(item) for item in value] if isinstance(value, list) else value


def row_hash(row: Mapping[str, Any]) -> str:
    """Return a hash that is equal for two runs that measured the same, whenever and how fast.

    A column that nothing filled leaves no trace, so that columns can come and go.
    """
    stable = {c.name: row.get(c.name) for c in SCHEMA if c.hashed and not c.volatile}
    return content_hash({name: value for name, value in stable.items() if value is not None})


def is_outdated(row: Mapping[str, Any]) -> bool:
    """Whether the row's source hash is of an older form, which no source has now."""
    return (row["schema_version"] or SCHEMA_VERSION) < CODE_HASHED_SINCE


def make_row(
    trial: Trial,
    report: Report,
    environment: Mapping[str, Any],
    *,
    leaderboard: str,
    attempt: int,
    resumed_from: int | None = None,
) -> dict:
    """Return the row of one checkpoint: all columns of SCHEMA, missing measurements as None."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial.id,
        "step": report.step,
        "final": report.final,
        "leaderboard": leaderboard,
        "task": trial.task.name,
        "task_version": trial.task.version,
        "rank_by": trial.task.rank_by,
        "split": trial.split,
        "routing": trial.variant.routing,
        "params_json": canonical_json(dict(trial.variant.params)),
        "config_json": canonical_json(trial.configuration()),
        "config_hash": trial.config_hash,
        "variant_code_hash": trial.code_hash,
        "label": trial.variant.label,
        "sites": 2 * trial.model.depth,
        "width": trial.model.width,
        "heads": trial.model.heads,
        "pair_id": trial.pair_id,
        "extractor": trial.task.extractor,
        "protocol_json": canonical_json(protocol(trial)),
        "protocol_hash": protocol_hash(trial),
        "attempt": attempt,
        "resumed_from": resumed_from,
        "status": "ok",
        **environment,
    }
    strangers = sorted(report.measured.keys() - COLUMNS.keys())
    if strangers:
        raise KeyError(f"not in the row schema: {', '.join(strangers)}")
    row |= {name: _finite(value) for name, value in report.measured.items()}
    row["row_hash"] = row_hash(row)
    return row
