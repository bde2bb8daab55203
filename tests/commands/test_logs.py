import threading
import time

import pytest

from darbench.commands import logs
from darbench.store.at_work import working_on
from darbench.store.logs import Log, log_file
from tests.make.folders import append


@pytest.fixture
def board(tmp_path):
    folder = tmp_path / "leaderboards" / "mine"
    append(folder, "a-0")
    Log(log_file(folder, "abc1")).say("one")
    Log(log_file(folder, "abd2")).say("two")
    return folder


def test_a_log_is_found_by_the_start_of_a_trials_id(run, board):
    code, out, _ = run("logs", "abd")
    assert code == 0 and out.endswith("Z two\n") and out.count("\n") == 1


def test_what_is_no_start_or_that_of_several_is_one_line(run, board):
    code, out, err = run("logs", "xyz")
    assert (code, out) == (2, "") and "known: abc1, abd2" in err
    code, out, err = run("logs", "ab")
    assert (code, out) == (2, "") and "2 trials' ids begin with ab: abc1, abd2" in err


def test_of_two_leaderboards_the_newest_log_is_taken(run, board, tmp_path):
    append(tmp_path / "leaderboards" / "other", "a-0")
    time.sleep(0.01)
    Log(log_file(tmp_path / "leaderboards" / "other", "abc1")).say("later")
    assert run("logs", "abc1")[1].endswith("Z later\n")


def test_it_is_followed_until_nobody_works_on_the_trial(board, monkeypatch):
    monkeypatch.setattr(logs, "EVERY_S", 0.01)
    path, ended = log_file(board, "abc1"), threading.Event()

    def work():
        with working_on(board, "w", trial="abc1"):
            begun.set()
            for word in ("three", "four"):
                time.sleep(0.05)
                Log(path).say(word)
        ended.set()

    begun, thread = threading.Event(), threading.Thread(target=work)
    thread.start()
    begun.wait()
    text = "".join(logs.follow(path))
    assert ended.wait(5) and [line.split()[1] for line in text.splitlines()] == [
        "one",
        "three",
        "four",
    ]
    thread.join()
