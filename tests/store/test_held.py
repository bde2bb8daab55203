import fcntl
import json
import os
import threading

import pytest

from darbench.store import held
from darbench.store.held import Taken, clock, hold, holder
from tests.make.folders import holding, killed_holding


def test_another_process_is_told_who_holds_a_file_and_what_it_does(tmp_path):
    path = tmp_path / "lock"
    with holding(path, "time.sleep(60)") as process:
        says = holder(path)
        assert says["process"] == process.pid and says["command"] == "darbench sweep"
        assert says["done"] == 7 and says["since"].endswith("+00:00") and says["machine"]
        with pytest.raises(Taken) as taken, hold(path):
            pass
        assert taken.value.says == says
        process.kill()


def test_a_file_of_a_killed_process_is_held_by_nobody_whatever_it_says(tmp_path):
    """Its number may be that of any process now, such as this one."""
    path = tmp_path / "lock"
    killed_holding(path)
    assert json.loads(path.read_bytes())["done"] == 7
    path.write_text(json.dumps({"process": os.getpid()}))
    assert holder(path) is None
    with hold(path, command="mine"):
        assert holder(path)["command"] == "mine"
    assert holder(path) is None and path.read_bytes() == b""


def test_a_file_that_is_not_there_is_held_by_nobody(tmp_path):
    assert holder(tmp_path / "none") is None


def test_who_says_nothing_yet_holds_it_all_the_same(tmp_path):
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(tmp_path / "lock") == {}
        file.write("[1]")
        file.flush()
        assert holder(tmp_path / "lock") == {}


def test_who_only_looks_does_not_keep_another_from_holding(tmp_path):
    """A look is a shared lock for a moment, in which the other waits."""
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(held.PATIENCE_S / 3, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with hold(tmp_path / "lock"):
            pass


def test_what_is_said_gets_shorter_too(tmp_path):
    with hold(tmp_path / "lock", text="x" * 3000) as mine:
        mine.say(text="y")
        assert holder(tmp_path / "lock")["text"] == "y"


def test_a_clock_for_people():
    assert clock("2031-05-01T10:02:03+00:00") == "2031-05-01 10:02 UTC"
