"""The tables beside a ranking: its learning curves, and its trials."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from darbench.board.order import Placed
from darbench.records.metric import COMPARED
from darbench.records.schema import COLUMNS
from darbench.store.tables import POLARS_SCHEMA

_PROVENANCE = tuple(
    name for name in POLARS_SCHEMA if COLUMNS[name].volatile and COLUMNS[name].kind != "floats"
)


def curves(placed: Iterable[Placed]) -> pl.DataFrame:
    columns = ("pair_id", "step", "train_flops", *COMPARED)
    rows = [
        {"entry": row.entry} | {name: point[name] for name in columns}
        for row, entry in placed
        for outcome in entry.trials
        for point in outcome.curve
    ]
    return pl.DataFrame(rows, {"entry": pl.String} | {c: POLARS_SCHEMA[c] for c in columns})


def trials(placed: Iterable[Placed]) -> pl.DataFrame:
    """A row per trial: compared metrics at the budget, other columns as at the trial's end."""
    columns = ("trial_id", "pair_id", "split", "step", "routing_dead_share", *_PROVENANCE)
    rows = [
        {"entry": row.entry, "status": trial.status}
        | {metric: trial.values.get(metric) for metric in COMPARED}
        | {name: trial.last[name] for name in columns}
        for row, entry in placed
        for trial in sorted(entry.outcomes, key=lambda o: (o.last["split"], o.pair_id))
    ]
    added: dict[str, Any] = {"entry": pl.String} | {c: POLARS_SCHEMA[c] for c in COMPARED}
    return pl.DataFrame(
        rows, added | {"status": pl.String} | {c: POLARS_SCHEMA[c] for c in columns}
    )
