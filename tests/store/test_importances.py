"""The file of importances: kept by point, and as none where it is something else."""

import json

import pytest

from darbench.store.importances import FILE, Importance, point_key, read, write

DAR = Importance(
    variant="dar", trials=12, shares={"a": 0.7, "b": 0.3}, chance={"a": 0.6, "b": 0.5}
)
ADD = Importance(variant="add", trials=3, shares=None, reason="it has no parameters")


def test_what_is_written_is_read_and_other_points_stay(tmp_path):
    write(tmp_path, {point_key({"task": "a"}): [DAR, ADD]})
    write(tmp_path, {point_key({"task": "b"}): [ADD]})
    write(tmp_path, {})
    assert read(tmp_path) == {'{"task":"a"}': [DAR, ADD], '{"task":"b"}': [ADD]}
    write(tmp_path, {point_key({"task": "a"}): [ADD]})
    assert read(tmp_path)['{"task":"a"}'] == [ADD]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "change",
    [
        {"shares": {"a": float("nan")}},
        {"shares": {"a": -0.5}},
        {"shares": {"a": "much"}},
        {"shares": [1]},
        {"shares": None},
        {"trials": "many"},
        {"reason": "and yet shares"},
    ],
)
def test_a_file_that_holds_something_else_is_as_none(tmp_path, change):
    write(tmp_path, {"{}": [DAR]})
    held = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({"{}": [held["{}"][0] | change]}))
    assert read(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 3}', '{"a": [{}]}', "[" * 100_000, "\x80"])
def test_a_file_that_is_broken_is_as_none_and_is_replaced(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    assert read(tmp_path) == {}
    write(tmp_path, {"{}": [DAR]})
    assert read(tmp_path) == {"{}": [DAR]}
    assert read(tmp_path / "nowhere") == {}
