import os

from darbench.store.at_work import at_work, dead_workers, working_on
from tests.make.folders import killed_holding


def test_a_process_says_what_it_does_while_it_does_it(tmp_path):
    with working_on(tmp_path, "w", trial="t0", label="dar") as stepped:
        (says,) = at_work(tmp_path)
        assert (says["trial"], says["label"], says["process"]) == ("t0", "dar", os.getpid())
        stepped(1, 9)
        stepped(2, 9)  # too soon after the first
        assert [(says["done"], says["steps"]) for says in at_work(tmp_path)] == [(1, 9)]
        stepped(9, 9)
        assert at_work(tmp_path)[0]["done"] == 9
    assert at_work(tmp_path) == [] and list((tmp_path / "workers").iterdir()) == []


def test_killed_processes_are_not_at_work(tmp_path):
    (tmp_path / "workers").mkdir()
    path = tmp_path / "workers" / "w.json"
    killed_holding(path)
    assert at_work(tmp_path) == [] and dead_workers(tmp_path) == [path]
    with working_on(tmp_path, "w", trial="t1"):
        assert dead_workers(tmp_path) == []


def test_what_cannot_be_said_fails_no_trial(tmp_path):
    (tmp_path / "workers").write_text("in the way")
    with working_on(tmp_path, "w") as stepped:
        stepped(1, 2)
    with working_on(tmp_path / "a", "w"), working_on(tmp_path / "a", "w") as stepped:
        stepped(1, 2)
    assert at_work(tmp_path) == []
