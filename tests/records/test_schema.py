import math
from dataclasses import replace

import pytest

from darbench.records import schema
from darbench.records.schema import COLUMNS, SCHEMA, Column, make_row, row_hash
from darbench.records.trial import Report
from tests.make.trials import toy_trial

TRIAL = toy_trial(pair_id=3)


def row(environment=None, *, attempt=1, board="b", final=True, **measured) -> dict:
    report = Report(step=5, final=final, measured=measured)
    return make_row(TRIAL, report, environment or {}, leaderboard=board, attempt=attempt)


def test_a_row_has_every_column_and_no_other():
    assert list(row(val_loss=0.5)) == list(COLUMNS)
    with pytest.raises(KeyError, match="val_los"):
        row(val_los=0.5)


def test_a_row_knows_its_trial():
    found = row(val_loss=0.5)
    assert (found["trial_id"], found["config_hash"]) == (TRIAL.id, TRIAL.config_hash)
    assert (found["sites"], found["width"], found["heads"]) == (4, 8, 2)
    assert found["pair_id"] == 3
    assert (found["status"], found["rank_by"]) == ("ok", "val_loss")


def test_a_number_that_is_not_finite_becomes_null_and_fails_nothing():
    found = row(val_loss=0.5, fd=math.nan, kid=-math.inf, val_loss_bins=[0.1, math.nan])
    assert found["fd"] is None and found["kid"] is None
    assert found["val_loss_bins"] == [0.1, None]
    assert found["row_hash"] == row(val_loss=0.5, val_loss_bins=[0.1, None])["row_hash"]


@pytest.mark.parametrize("column", [c for c in SCHEMA if c.kind in ("float", "int")])
def test_a_row_hash_is_of_what_was_measured_not_of_when_and_where(column):
    other = row() | {column.name: 41}
    assert (row_hash(other) == row_hash(row())) == (column.volatile or not column.hashed)


def test_a_column_that_came_later_moves_no_row_hash(monkeypatch):
    before, later = row(val_loss=0.5), Column(name="later", kind="float", doc="", hashed=False)
    monkeypatch.setattr(schema, "SCHEMA", (*SCHEMA, later))
    assert row_hash(before | {"later": 0.25}) == before["row_hash"]
    monkeypatch.setattr(schema, "SCHEMA", (*SCHEMA, replace(later, hashed=True)))
    assert row_hash(before | {"later": 0.25}) != before["row_hash"]


def test_wall_times_devices_and_attempts_leave_a_row_hash_alone():
    elsewhere = {"device": "cuda", "created_utc": "2031", "torch": "9", "git_dirty": True}
    same = row(elsewhere, attempt=2, board="other", val_loss=0.5, train_seconds=9.0)
    assert same["row_hash"] == row(val_loss=0.5)["row_hash"]
    assert row(val_loss=0.6)["row_hash"] != row(val_loss=0.5)["row_hash"]


def test_columns_that_nothing_filled_come_and_go_without_moving_the_hash():
    filled = {name: value for name, value in row(val_loss=0.5).items() if value is not None}
    assert row_hash(filled) == row_hash(row(val_loss=0.5)) == row(val_loss=0.5)["row_hash"]
    assert row_hash(filled | {"x_energy": 3}) == row_hash(filled)
    del filled["val_loss"]
    assert row_hash(filled) != row(val_loss=0.5)["row_hash"]


def test_every_column_is_documented_or_named_plainly():
    assert all(c.doc or c.name in ("darbench_version",) for c in SCHEMA)
    assert len(COLUMNS) == len(SCHEMA)
