"""The table of diagnoses beside a leaderboard's ledger: diagnostics.parquet."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from darbench.errors import BadInput
from darbench.files import replacing

NAME = "diagnostics.parquet"
SCHEMA = {
    "trial": pl.String(),
    "analysis": pl.String(),
    "k": pl.Int64(),
    "j": pl.Int64(),
    "t": pl.Float64(),
    "value": pl.Float64(),
    "se": pl.Float64(),
}


def write_diagnostics(folder: Path, trial: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write the rows of one trial in place of those it had; other trials keep theirs."""
    path = folder / NAME
    new = pl.DataFrame([{"trial": trial, **row} for row in rows], schema=SCHEMA)
    kept = read_diagnostics(folder).filter(pl.col("trial") != trial)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        pl.concat([kept, new]).write_parquet(partial)
    return path


def read_diagnostics(folder: Path, trials: Collection[str] | None = None) -> pl.DataFrame:
    """The table of a leaderboard's folder, empty where there is none; BadInput for another.

    trials: only their rows, which is sooner read where there are many.
    """
    table = _scanned(folder)
    return (table if trials is None else table.filter(pl.col("trial").is_in([*trials]))).collect()


def diagnosed_trials(folder: Path) -> list[str]:
    """The trials that the table has rows of, in its order; BadInput as above."""
    trials = _scanned(folder).select("trial").unique(maintain_order=True)
    return trials.collect()["trial"].to_list()


def _scanned(folder: Path) -> pl.LazyFrame:
    path = folder / NAME
    if not path.exists():
        return pl.LazyFrame(schema=SCHEMA)
    try:
        table = pl.scan_parquet(path)
        schema = dict(table.collect_schema())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"{path}: no Parquet file ({error}); move it away") from None
    if schema != SCHEMA:
        raise BadInput(f"{path}: not a table of diagnoses; move it away")
    return table
