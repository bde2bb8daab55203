"""The columns of a leaderboard's frame are those of EntryRow, each of one type."""

from dataclasses import dataclass, fields

import polars as pl
import pytest

from darbench.board import entry_row
from darbench.board.entry_row import EntryRow, Standing, to_frame
from darbench.board.rank import rank
from darbench.records.metric import METRICS
from darbench.store import tables
from tests.make.rows import entry_rows


@pytest.fixture(scope="module")
def rows():
    ledger = [*entry_rows("add"), *entry_rows("dar", ratio=0.9, wobble=0.001)]
    return rank(tables.to_frame(ledger)).rows


def test_a_frame_has_the_fields_of_a_row_and_the_columns_of_every_metric(rows):
    frame = to_frame(rows)
    plain = [f.name for f in fields(EntryRow) if f.name not in ("metrics", "mechanism")]
    assert frame.columns[: len(plain)] == plain
    assert {*METRICS} <= {*frame.columns}
    assert frame["label"].dtype == pl.String and frame["rank"].dtype == pl.Int64
    assert frame["stale"].dtype == pl.Boolean and frame["score"].dtype == pl.Float64
    assert frame["val_loss_n"].dtype == pl.Int64 and frame["kid_se"].dtype == pl.Float64
    assert frame["val_loss_effect"].to_list() == [rows[0].metrics["val_loss"].effect, 0]


def test_a_new_text_field_is_a_column_of_text(rows, monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Noted(EntryRow):
        note: str

    monkeypatch.setattr(entry_row, "EntryRow", Noted)
    noted = Noted(note="said", **{f.name: getattr(rows[0], f.name) for f in fields(EntryRow)})
    assert to_frame([noted])["note"].to_list() == ["said"]


def test_a_value_of_another_type_than_its_field_is_no_null(rows):
    values = {f.name: getattr(rows[0], f.name) for f in fields(EntryRow)}
    with pytest.raises((TypeError, pl.exceptions.PolarsError)):
        to_frame([EntryRow(**values | {"seeds": "three"})])


def test_a_standing_that_nothing_measured_is_empty():
    assert {getattr(Standing(), f.name) for f in fields(Standing)} == {None}
