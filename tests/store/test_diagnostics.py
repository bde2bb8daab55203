import pytest

from darbench.errors import BadInput
from darbench.store.diagnostics import NAME, SCHEMA, read_diagnostics, write_diagnostics


def row(value, **changes):
    places = {"analysis": "rms_z", "k": 1, "j": None, "t": 0.5, "value": value, "se": None}
    return places | changes


def test_a_trial_replaces_its_own_rows_and_no_others(tmp_path):
    for trial, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        path = write_diagnostics(tmp_path / "new", trial, [row(value)])
    assert path.name == NAME
    found = read_diagnostics(tmp_path / "new")
    assert dict(found.schema) == SCHEMA
    assert {(r["trial"], r["value"]) for r in found.to_dicts()} == {("a", 3.0), ("b", 2.0)}


def test_without_a_file_the_table_is_empty(tmp_path):
    assert read_diagnostics(tmp_path).is_empty()


def test_another_file_in_the_way_is_named(tmp_path):
    (tmp_path / NAME).write_text("no table")
    with pytest.raises(BadInput, match=r"diagnostics\.parquet: no Parquet file"):
        write_diagnostics(tmp_path, "a", [row(1.0)])
    read_diagnostics(tmp_path / "empty").select("trial").write_parquet(tmp_path / NAME)
    with pytest.raises(BadInput, match="not a table of diagnoses"):
        write_diagnostics(tmp_path, "a", [row(1.0)])
