import json
import math
import os
import random
import subprocess
import sys

import polars as pl
import pytest

from darbench.board.rank import rank
from darbench.errors import BadInput
from darbench.records.schema import COLUMNS, SCHEMA_VERSION
from darbench.store.tables import POLARS_SCHEMA, load_results, to_frame, write_parquet
from tests.make.rows import entry_rows, row_of
from tests.make.trials import toy_trial


def row(step=1, *, pair_id=0, code="c0", created="2031-01-01T00:00:00", **more):
    trial = toy_trial(pair_id=pair_id, code=code)
    return row_of(trial, step=step, final=False, created=created, **more)


def test_every_column_has_its_type_even_in_an_empty_table():
    empty = to_frame([])
    assert dict(empty.schema) == POLARS_SCHEMA
    full = to_frame([row(val_loss=0.5, val_loss_bins=[0.1, 0.2], params_total=7)])
    assert dict(full.schema) == POLARS_SCHEMA
    assert list(full.columns) == list(COLUMNS)


def test_a_float_column_that_starts_with_integers_keeps_later_fractions():
    rows = [row(step, val_loss=1) for step in range(150)] + [row(150, val_loss=1.5)]
    assert to_frame(rows)["val_loss"].to_list()[-1] == 1.5


def test_numbers_that_are_not_finite_become_null():
    frame = to_frame([row() | {"fd": math.nan, "kid": math.inf, "val_loss_bins": [0.1, math.nan]}])
    assert frame["fd"].to_list() == [None]
    assert frame["kid"].to_list() == [None]
    assert frame["val_loss_bins"].to_list() == [[0.1, None]]


def test_the_last_row_of_a_step_stays_whatever_the_order():
    rows = [
        row(1, attempt=1, val_loss=0.9),
        row(1, attempt=2, val_loss=0.7, created="2031-01-02T00:00:00"),
        row(1, attempt=2, val_loss=0.8, created="2031-01-03T00:00:00"),
        row(2, attempt=1, val_loss=0.6),
    ]
    expected = to_frame(rows)
    assert expected["val_loss"].to_list() == [0.8, 0.6]
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert to_frame(rows).equals(expected)
    assert to_frame(expected.to_dicts() + rows).equals(expected)


def test_rows_of_an_older_source_stay_beside_the_new_ones():
    frame = to_frame([row(1, code="old", val_loss=0.9), row(1, code="new", val_loss=0.8)])
    assert dict(zip(frame["variant_code_hash"], frame["val_loss"], strict=True)) == {
        "new": 0.8,
        "old": 0.9,
    }


def test_a_failure_does_not_displace_the_measurement_of_its_step():
    failure = row(1, attempt=2) | {"status": "crashed", "final": True}
    frame = to_frame([row(1, val_loss=0.9), failure])
    assert frame.select("status", "val_loss").rows() == [("crashed", None), ("ok", 0.9)]


def ended(status, attempt, step=3, **more):
    return row(step, attempt=attempt, **more) | {"status": status, "final": True}


@pytest.mark.parametrize(
    "rows, stand",
    [
        # The trial that crashed goes on: its failure is no end of it any more.
        ([ended("crashed", 1), row(2, attempt=2)], [("ok", 2)]),
        ([ended("crashed", 1), ended("ok", 2)], [("ok", 2)]),
        ([ended("crashed", 1, step=5), ended("oom", 2, step=0)], [("oom", 2)]),
        ([ended("crashed", 1), ended("crashed", 2)], [("crashed", 2)]),
        # What finished is not undone by an attempt that another machine made of it later.
        ([ended("ok", 1), ended("timeout", 2)], [("ok", 1)]),
        ([ended("diverged", 1, step=5), ended("crashed", 2)], [("diverged", 1)]),
        ([ended("crashed", 1), ended("ok", 2, code="new")], [("crashed", 1), ("ok", 2)]),
    ],
)
def test_a_failure_stands_only_as_the_end_of_its_trial(rows, stand):
    for given in (rows, rows[::-1]):
        measured = row(1, attempt=1, val_loss=0.9)
        frame = to_frame([measured, *given])
        found = frame.filter(pl.col("val_loss").is_null()).select("status", "attempt")
        assert sorted(found.rows()) == stand
        assert to_frame([*frame.to_dicts(), *given]).equals(frame)


def test_no_step_of_an_ended_trial_has_two_rows():
    rows = [row(1, attempt=1), ended("crashed", 1, step=1)]
    rows += [row(2, attempt=2), ended("oom", 2, step=2), ended("ok", 3, step=3)]
    frame = to_frame(rows)
    assert frame["step"].to_list() == [1, 2, 3]
    assert frame["attempt"].to_list() == [1, 2, 3]


def test_unknown_columns_survive_with_their_kind():
    rows = [
        row(1) | {"energy_j": 3, "note": {"a": [1]}, "x_seen": True},
        row(2) | {"energy_j": 2.5, "note": "text"},
    ]
    frame = to_frame(rows).sort("step")
    assert frame["x_energy_j"].to_list() == [3.0, 2.5]
    assert frame["x_note"].to_list() == ['{"a": [1]}', "text"]
    assert frame["x_seen"].to_list() == [True, None]
    assert to_frame(frame.to_dicts()).sort("step").equals(frame)


def test_a_value_of_the_wrong_kind_is_named():
    with pytest.raises(BadInput, match="params_total"):
        to_frame([row(1) | {"params_total": "many"}])


def test_parquet_round_trip_with_version_and_units(tmp_path):
    frame = to_frame([row(1, val_loss=0.5, val_loss_bins=[0.1]), row(2, train_flops=1e9)])
    path = tmp_path / "toy" / "results.parquet"
    write_parquet(frame, path)
    write_parquet(frame, path)
    assert [p.name for p in path.parent.iterdir()] == ["results.parquet"]
    metadata = pl.read_parquet_metadata(path)
    assert metadata["schema_version"] == str(SCHEMA_VERSION)
    assert json.loads(metadata["units"])["train_flops"] == "FLOP"
    for given in ("toy", path, path.parent):
        assert load_results(given, out=tmp_path).equals(frame)


@pytest.mark.parametrize("column", ["audit_draws", "fd_redraws"])
def test_a_table_from_before_a_column_has_nulls_there(tmp_path, column):
    frame = to_frame(entry_rows("add") + entry_rows("dar", ratio=0.9))
    write_parquet(frame.drop(column), tmp_path / "results.parquet")
    found = load_results(tmp_path)
    assert found.columns == frame.columns and found[column].null_count() == len(frame)
    assert found.schema == frame.schema
    assert [row.routing for row in rank(pl.read_parquet(tmp_path / "results.parquet")).rows] == [
        "dar",
        "add",
    ]


def test_a_writer_that_dies_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "results.parquet"
    frame = to_frame([row(1, val_loss=0.5)])
    write_parquet(frame, path)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        write_parquet(to_frame([]), path)
    assert load_results(path).equals(frame)


def test_missing_results_say_what_to_run(tmp_path):
    with pytest.raises(BadInput, match="darbench list spaces"):
        load_results("nowhere", out=tmp_path)


def test_another_schema_version_is_refused_with_a_way_out(tmp_path):
    path = tmp_path / "results.parquet"
    to_frame([row(1)]).write_parquet(path, metadata={"schema_version": "99"})
    with pytest.raises(BadInput, match=r"schema 99.*darbench board"):
        load_results(path)
    path.write_text("not a table")
    with pytest.raises(BadInput, match="not a Parquet file"):
        load_results(path)


def test_tables_do_not_import_torch():
    code = "import sys, darbench.store.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
