"""Rows as a polars table and as Parquet, which are always rebuilt from the ledger."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from darbench.errors import BadInput
from darbench.files import replacing
from darbench.folders import without_folders
from darbench.records.schema import COLUMNS, SCHEMA, SCHEMA_VERSION
from darbench.store.ledger import FINISHED

POLARS_TYPES = {
    "str": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "floats": pl.List(pl.Float64()),
}
POLARS_SCHEMA: dict[str, pl.DataType] = {c.name: POLARS_TYPES[c.kind] for c in SCHEMA}

_ORDER = (
    "task",
    "protocol_hash",
    "budget_flops",
    "config_hash",
    "variant_code_hash",
    "pair_id",
    "trial_id",
    "step",
    "status",
    "row_hash",
)


_TRIAL = ("trial_id", "variant_code_hash", "split")
_CELL = (*_TRIAL, "step")


def to_frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the table of the rows: one row per measurement, in a fixed order.

    Of several rows for one step of a trial the last is kept: the highest attempt, then the newest.
    Rows with another source hash of the variant are kept too. A failure is kept only as the end
    of its trial, where it does not replace a measurement at the same step; of an attempt that
    another has followed, `attempt` and the ledger tell. The order of `rows` does not matter, so
    merging ledgers is commutative and idempotent. Unknown columns survive under x_*; numbers that
    are not finite become null.
    """
    rows = [*map(_mailable, _last(_without_superseded([*rows])))]
    columns = {
        name: _series(name, dtype, [row.get(name) for row in rows])
        for name, dtype in POLARS_SCHEMA.items()
    }
    for key in sorted({key for row in rows for key in row} - COLUMNS.keys()):
        values = [row.get(key) for row in rows]
        name = key if key.startswith("x_") else f"x_{key}"
        columns[name] = _series(name, _kind(values), values)
    return pl.DataFrame(columns).sort(_ORDER, nulls_last=True)


def _last(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    kept: dict[tuple, Mapping[str, Any]] = {}
    for row in sorted(rows, key=_age):
        failed = row.get("status") != "ok"
        kept[(*(row.get(key) for key in _CELL), failed)] = row
    return list(kept.values())


def _without_superseded(rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows without failures of any attempt but the one by which its trial stands.

    That is the latest that finished, or else the latest.
    """
    standing: dict[tuple, tuple[bool, int]] = {}
    for row in rows:
        trial = tuple(row.get(key) for key in _TRIAL)
        finished = bool(row.get("final")) and row.get("status") in FINISHED
        own = finished, row.get("attempt") or 0
        standing[trial] = max(standing.get(trial, own), own)
    return [
        row
        for row in rows
        if row.get("status") == "ok"
        or (row.get("attempt") or 0) == standing[tuple(row.get(key) for key in _TRIAL)][1]
    ]


def _mailable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row, whose error names no folder of the machine it ran on."""
    error = row.get("error")
    return {**row, "error": without_folders(error)} if isinstance(error, str) else row


def _age(row: Mapping[str, Any]) -> tuple[int, str, str]:
    return row.get("attempt") or 0, row.get("created_utc") or "", row.get("row_hash") or ""


def _kind(values: list[Any]) -> pl.DataType:
    """The type of a column that is not in the schema: a number, or else text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return POLARS_TYPES["bool"]
    if kinds == {int}:
        return POLARS_TYPES["int"]
    return POLARS_TYPES["float" if kinds and kinds <= {int, float} else "str"]


def _series(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    if dtype == pl.Float64:
        values = [_finite(v) for v in values]
    elif dtype == pl.List:
        values = [None if v is None else [_finite(x) for x in v] for v in values]
    elif name not in COLUMNS and dtype == pl.String:
        values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"column '{name}' of the ledger must be {dtype}: {error}") from error


def _finite(value: Any) -> Any:
    """A float for polars: integers are widened, NaN and infinities become null.

    Text is left as it is, for polars to refuse.
    """
    if isinstance(value, (int, float)):
        return float(value) if math.isfinite(value) else None
    return value


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write the file; its metadata hold the schema version and, as JSON, the columns' units."""
    units = {column.name: column.unit for column in SCHEMA if column.unit}
    metadata = {"schema_version": str(SCHEMA_VERSION), "units": json.dumps(units)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, flush=True) as partial:
        frame.write_parquet(partial, metadata=metadata)


def load_results(name_or_path: str | Path, out: str | Path = "leaderboards") -> pl.DataFrame:
    """Return all rows of a sweep, given its name under `out`, or its folder or file."""
    path = _results_path(name_or_path, Path(out))
    if not path.is_file():
        raise BadInput(
            f"no results at {path}; run a sweep to make them (`darbench list spaces` names those "
            "that ship), or pass the folder of a finished one"
        )
    try:
        version = pl.read_parquet_metadata(path).get("schema_version")
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path} is not a Parquet file: {error}") from error
    if version != str(SCHEMA_VERSION):
        raise BadInput(
            f"{path} has row schema {version or 'unknown'}, this darbench reads "
            f"{SCHEMA_VERSION}; rebuild it from its ledger with `darbench board`, or install the "
            "darbench that wrote it (column darbench_version)"
        )
    return with_all_columns(pl.read_parquet(path))


def with_all_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table with nulls in the columns that darbench did not have when it was made."""
    missing = {name: kind for name, kind in POLARS_SCHEMA.items() if name not in frame.columns}
    filled = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in missing.items())
    return filled.select(*POLARS_SCHEMA, pl.exclude(*POLARS_SCHEMA))


def _results_path(name_or_path: str | Path, out: Path) -> Path:
    given = Path(name_or_path)
    if given.suffix == ".parquet":
        return given
    folder = given if given.is_dir() else out / given
    return folder / "results.parquet"
