from datetime import timedelta

import pytest

from darbench.store import ledger
from darbench.store.at_work import working_on
from darbench.store.declared import Declared, write
from darbench.store.standing import standing
from tests.make.folders import START, append


def test_trials_are_counted_by_their_state(tmp_path):
    write(tmp_path, Declared(seeds={"a": [0, 1, 2], "b": [0, 1, 2]}))
    append(tmp_path, "a-0")
    append(tmp_path, "a-1", 1, status="crashed", error="no luck")
    append(tmp_path, "b-0", 2, status="diverged")
    append(tmp_path, "a-2", 3, final=False)
    append(tmp_path, "b-1", 4, final=False)
    with working_on(tmp_path, "w", trial="b-1"):
        found = standing(tmp_path)
    assert found.states == {
        "ok": 1, "crashed": 1, "diverged": 1, "running": 1, "cut off": 1, "left": 1
    }  # fmt: skip
    assert [each["error"] for each in found.failures] == ["no luck"]
    assert found.driver is None and found.seconds_left is None
    assert standing(tmp_path).states["cut off"] == 2


def test_a_trial_counts_once_by_its_best_end(tmp_path):
    append(tmp_path, "a-0", 0, status="oom")
    append(tmp_path, "a-0", 1, attempt=2)
    append(tmp_path, "a-0", 2, attempt=3, status="crashed")
    append(tmp_path, "a-1", 3, status="oom")
    append(tmp_path, "a-1", 4, status="timeout", attempt=2)
    found = standing(tmp_path)
    assert found.states == {"ok": 1, "timeout": 1}
    assert [each["status"] for each in found.failures] == ["timeout"]


def test_the_last_failures_come_first_and_those_that_run_again_do_not_come(tmp_path):
    for seed in range(5):
        append(tmp_path, f"a-{seed}", seed, status="crashed")
    with working_on(tmp_path, "w", trial="a-4"):
        assert [each["pair_id"] for each in standing(tmp_path).failures] == [3, 2, 1]


def test_the_time_left_is_told_at_the_pace_since_the_command_began(tmp_path):
    """Three trials in half an hour, of which one has ended before: 9 others take 90 minutes."""
    with ledger.lock(tmp_path, "darbench sweep") as held:
        held.say(since=START.isoformat(), left=9)
        append(tmp_path, "a-0", -1)
        for seed, minutes in enumerate((10, 20), start=1):
            append(tmp_path, f"a-{seed}", minutes)
        assert standing(tmp_path, START + timedelta(minutes=25)).seconds_left is None
        append(tmp_path, "a-3", 29, status="crashed")
        found = standing(tmp_path, START + timedelta(minutes=30))
    assert found.driver["command"] == "darbench sweep"
    assert found.an_hour == pytest.approx(6) and found.seconds_left == pytest.approx(90 * 60)
    assert found.states["left"] == 9


def test_a_folder_without_rows_stands_at_nothing(tmp_path):
    found = standing(tmp_path)
    assert (found.states, found.failures, found.last) == ({}, [], "")
