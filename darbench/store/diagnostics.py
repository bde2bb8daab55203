"""The table of diagnoses beside a leaderboard's ledger: diagnostics.parquet."""

from collections.abc import Iterable, Mapping
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


def read_diagnostics(folder: Path) -> pl.DataFrame:
    """The table of a leaderboard's folder, empty where there is none; BadInput for another."""
    path = folder / NAME
    if not path.exists():
        return pl.DataFrame(schema=SCHEMA)
    try:
        found = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"{path}: no Parquet file ({error}); move it away") from None
    if dict(found.schema) != SCHEMA:
        raise BadInput(f"{path}: not a table of diagnoses; move it away")
    return found
