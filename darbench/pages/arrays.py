"""A table of diagnoses as the arrays that figures draw: means over seeds, and their spread."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl


class Array(NamedTuple):
    """Values over named axes, each with the numbers that stand along it."""

    values: np.ndarray
    axes: dict[str, list[float]]  # t, k and j; the shape is that of their lengths
    spread: np.ndarray | None = None  # the standard deviation over seeds, of logs where `log`
    log: bool = False  # the mean is geometric: what is told apart by its ratio


LOGS = ("rms_z", "rms_v", "rms_grad_z", "rms_grad_v", "relative_grad_z", "relative_grad_v")
LINES = (*LOGS, "block_cosine", "routing_variation", "softmax_variation", "probe_r2")
# Means over sites: what is left is a curve over t.
OVER_TIME = tuple(
    f"{weights}_{measure}"
    for weights in ("routing", "softmax")
    for measure in ("entropy", "effective", "lookback")
)
MAPS = ("routing_matrix", "softmax_weights")
GATES = "gate_gradient"
CONSTANTS = ("probe_r2_input",)


def arrays(table: pl.DataFrame) -> Iterator[tuple[str, Array]]:
    """The arrays of one entry by name; `table` has the rows of its trials, one a seed."""
    for (name,), rows in table.group_by("analysis", maintain_order=True):
        if name in OVER_TIME:
            rows = rows.group_by("trial", "t", maintain_order=True).agg(pl.col("value").mean())
            rows = rows.with_columns(k=None, j=None)
        if name in (*LINES, *OVER_TIME, *MAPS, GATES, *CONSTANTS):
            yield name, _mean(*_placed(rows), log=name in LOGS)


def _placed(rows: pl.DataFrame) -> tuple[np.ndarray, dict[str, list[float]]]:
    """The values as (trial, t, k, j), of the axes that there are; NaN where there is no row.

    Rows of one place are sources of one softmax that share their newest output: they are added.
    """
    known = [axis for axis in ("t", "k", "j") if rows[axis].null_count() < len(rows)]
    axes = {axis: sorted(rows[axis].unique().to_list()) for axis in known}
    trials = rows["trial"].unique(maintain_order=True).to_list()
    summed = rows.group_by("trial", *known, maintain_order=True).agg(pl.col("value").sum())
    at = [summed["trial"].replace_strict({trial: i for i, trial in enumerate(trials)})]
    for axis, along in axes.items():
        at.append(summed[axis].replace_strict({value: i for i, value in enumerate(along)}))
    values = np.full((len(trials), *map(len, axes.values())), np.nan)
    values[tuple(place.to_numpy() for place in at)] = summed["value"].to_numpy()
    return values, axes


def _mean(values: np.ndarray, axes: dict[str, list[float]], log: bool) -> Array:
    """Over trials. What one of them lacks, the mean lacks; of one trial there is no spread."""
    if log:
        values = np.log(values, out=np.full_like(values, np.nan), where=values > 0)
    mean = values.mean(0)
    spread = values.std(0, ddof=1) if len(values) > 1 else None
    return Array(np.exp(mean) if log else mean, axes, spread, log)
