import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from darbench.search.scratch import scratch

OWNER = """
import sys, time
from pathlib import Path
from darbench.search.scratch import scratch
with scratch() as folder:
    Path(folder, "deep").mkdir()
    Path(folder, "deep", "socket").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder for temporary files, with a path as short as Ray needs it."""
    with tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def owner(place):
    """A process in a scratch folder of its own, and that folder."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_a_folder_is_there_while_it_is_used(place):
    with scratch() as folder:
        assert os.listdir(place) == [Path(folder).name] and len(folder) <= 47
        Path(folder, "file").write_text("x")
    assert os.listdir(place) == []


def test_the_folder_of_a_killed_process_goes_with_the_next(place, owner):
    process, left = owner
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (left / "deep" / "socket").is_file()
    with scratch() as folder:
        assert os.listdir(place) == [Path(folder).name] and not left.exists()


def test_the_folder_of_a_living_process_stays(place, owner):
    process, used = owner
    with scratch(), scratch():
        pass
    assert (used / "deep" / "socket").is_file() and process.poll() is None


def test_what_is_not_ours_stays(place, tmp_path):
    (tmp_path / "kept").mkdir()
    (place / "darbench_link").symlink_to(tmp_path / "kept")
    (place / "darbench_file").write_text("x")
    (place / "other_folder").mkdir()
    kept = {"darbench_link", "darbench_file", "other_folder"}
    if os.getuid() == 0:  # who may give a folder away
        (place / "darbench_theirs").mkdir()
        os.chown(place / "darbench_theirs", 12345, 12345)
        kept.add("darbench_theirs")
    with scratch():
        pass
    assert {*os.listdir(place)} == kept and (tmp_path / "kept").is_dir()
