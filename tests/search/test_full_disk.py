"""A sweep whose disk is full says so in one line, and goes on where there is space again."""

import subprocess
import sys
from collections import Counter

import pytest

from darbench.store import ledger
from tests.make.spaces import TINY, write

TWO = "seeds: [0]\nvariants: [{routing: add}, {routing: denseformer}]\n" + TINY
# The disk is one in memory, in a namespace of this process's own, which takes no privilege. It
# holds what a sweep says of itself, and a row or two.
SCRIPT = """
mount -t tmpfs -o size=24k tmpfs "$1"
"$2" -m darbench sweep --space "$3" --out "$1" --workers 1
echo "exit code $?"
mount -o remount,size=64m "$1"
"$2" -m darbench sweep --space "$3" --out "$1" --workers 1
echo "exit code $?"
cp -r "$1/mine/ledger" "$4"
"""


@pytest.mark.slow
def test_a_full_disk_is_told_in_a_line_and_the_next_command_goes_on(tmp_path):
    (disk := tmp_path / "disk").mkdir()
    given = [disk, sys.executable, write(tmp_path, TWO), tmp_path / "ledger"]
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"]
    done = subprocess.run(
        [*command, *map(str, given)], capture_output=True, text=True, timeout=240
    )
    first, second, _ = done.stdout.split("exit code ")
    assert done.stderr.count("\n") == 1
    assert f"cannot write to {disk / 'mine'}: No space left on device" in done.stderr
    assert second.startswith("2\n") and "2 trials: " in second and ", 0 failed, " in second
    assert done.stdout.endswith("exit code 0\n") and "Traceback" not in first
    rows = ledger.read_ledger(tmp_path / "ledger")
    ended = Counter(row["routing"] for row in rows if row["final"] and row["status"] == "ok")
    assert ended == {"add": 1, "denseformer": 1}
