import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

from darbench.search.apart import Apart
from tests.make.trials import tiny_trial, trial_of_now


def test_a_trial_of_another_source_is_refused(tmp_path):
    """The files of a shared folder may change while a worker runs."""
    (row,) = Apart(tmp_path, "cpu", "w").run(tiny_trial(), 1)
    assert (row["status"], row["step"]) == ("crashed", 0)
    assert "the source of add has changed since the worker was started" in row["error"]


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_process_that_dies_is_told_of_and_the_next_trial_has_another(tmp_path):
    apart = Apart(tmp_path, "cpu", "w")
    long = trial_of_now(steps=10**6, fd_from=0.5, checkpoints=(1e-5, 1.0))
    rows = apart.run(long, 1)
    assert not next(rows)["final"]
    os.kill(apart._process.pid, signal.SIGKILL)
    assert [*rows] == [None]
    last = [*apart.run(trial_of_now(), 1)][-1]
    assert last["final"] and last["threads"] == 1
    process = apart._process
    apart.close()
    assert not process.is_alive()


PARENT = """
from pathlib import Path
from darbench.search.apart import Apart
from tests.make.trials import trial_of_now
if __name__ == "__main__":
    apart = Apart(Path.cwd(), "cpu", "w")
    rows = apart.run(trial_of_now(fd_from=0.5, steps=10**6, checkpoints=(1e-5, 1.0)), 1)
    next(rows)
    print(apart._process.pid, flush=True)
    [*rows]
"""


def test_the_process_dies_with_the_one_that_began_it(tmp_path):
    (file := tmp_path / "parent.py").write_text(dedent(PARENT))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    begun = subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, cwd=tmp_path, env=environment
    )
    process = int(begun.stdout.readline())
    assert lives(process)
    begun.kill()
    until(lambda: not lives(process))
    begun.communicate()
