"""Declarations beside a ledger: what later sweeps add to them, and what they replace."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from darbench.errors import BadInput
from darbench.store.declared import FILE, Declared, read, write
from darbench.store.place import Place


def test_seeds_are_added_and_all_else_is_replaced_by_name():
    first = Declared(seeds={"a": [0, 1], "b": [0]}, sources={"add": "old", "dar": "d"})
    both = first.extended({"a": [2, 1]}, sources={"add": "new"}, command="again")
    assert both.seeds == {"a": [0, 1, 2], "b": [0]}
    assert both.sources == {"add": "new", "dar": "d"}
    assert both.command == "again" and both.extended({}).command == "again"


def test_the_last_sweep_that_declared_a_configuration_ranks_it():
    both = Declared().extended({"a": [0], "b": [0]}, rank_by=dict.fromkeys("ab", "fd"))
    later = both.extended({"a": [0]}, rank_by={"a": "val_loss"})
    assert later.ranking(["a", "b"]) == "val_loss" and later.ranking(["b"]) == "fd"
    assert later.ranking(["c"]) is None


def test_what_is_written_is_read_back_and_no_file_declares_nothing(tmp_path):
    assert read(tmp_path) == Declared()
    places = {
        "a": [Place(point={"training.lr": 0.1}), Place(tuned=("training.lr",), split="search")]
    }
    declared = Declared(
        command="darbench sweep", seeds={"a": [0]}, rank_by={"a": "fd"}, places=places
    )
    write(tmp_path, declared)
    assert read(tmp_path) == declared


def test_a_configuration_stands_where_the_last_sweep_put_it_and_else_in_the_usual_place():
    here, there = Place(point={"model.patch": 2}), Place(point={"model.patch": 4})
    declared = Declared().extended({"a": [0]}, places={"a": [here]})
    assert declared.standing("a", "confirm") == [here]
    assert declared.standing("a", "search") == [Place(split="search")]
    assert declared.standing("b", "confirm") == [Place()]
    assert declared.extended({}, places={"a": [there]}).standing("a", "confirm") == [there]
    assert declared.extended({"a": [1]}).standing("a", "confirm") == [here]


def test_a_sweep_of_one_track_leaves_the_places_of_the_others():
    fixed, there = Place(), Place(point={"model.patch": 4})
    tuned = [Place(tuned=("training.lr",), split=split) for split in ("search", "confirm")]
    both = Declared().extended({}, places={"a": [fixed, *tuned], "b": tuned})
    again = both.extended({}, places={"a": [there]})
    assert again.places == {"a": [there, *tuned], "b": tuned}
    moved = Place(point={"model.patch": 4}, tuned=("training.lr",))
    assert again.extended({}, places={"a": [moved]}).places["a"] == [moved, there]


def test_the_last_sweep_of_a_configuration_says_whether_it_is_a_control():
    place = [Place()]
    first = Declared().extended({}, places={"a": place, "b": place}, controls={"a": "", "b": "x"})
    assert first.controls == {"a": "", "b": "x"}
    assert first.extended({"c": [0]}, places={"c": place}).controls == first.controls
    assert first.extended({}, places={"a": place}).controls == {"b": "x"}


def test_what_an_older_darbench_declared_loses_the_folders_of_its_machine(tmp_path):
    line = "darbench sweep --space '/home/ada/a=b/s.yaml' --load /home/ada/r.py seeds=[0]"
    kept = {"command": line, "commands": {"a": line, "b": ""}, "files": {"r": "/home/ada/r.py"}}
    (tmp_path / FILE).write_text(json.dumps(kept))
    found = read(tmp_path)
    assert found.command == found.commands["a"]
    assert found.command == "darbench sweep --space s.yaml --load r.py 'seeds=[0]'"
    assert found.commands["b"] == "" and found.files == {"r": "r.py"}


@pytest.mark.parametrize(
    "text", ["{", '{"seed": {}}', "[1]", '{"command": 3}', '{"commands": [1]}']
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadInput, match=rf"{tmp_path}/{FILE}: cannot be read .*; move it away"):
        read(tmp_path)


def test_seeds_of_before_are_kept_with_the_time_when_more_were_declared():
    first = Declared().extended({"a": [0, 1], "b": [0]}, command="one")
    assert first.earlier == {} and first.extended({"a": [1]}).earlier == {}
    more = first.extended({"a": [0, 1, 2]}, command="two")
    ((when, seeds),) = more.earlier["a"].items()
    assert seeds == [0, 1] and more.earlier.keys() == {"a"}
    assert datetime.now(UTC) - datetime.fromisoformat(when) < timedelta(minutes=1)
    assert more.commands == {"a": "two", "b": "one"}
    assert more.extended({"a": [0]}).commands == more.commands
