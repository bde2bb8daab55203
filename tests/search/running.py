"""Sweeps in processes of their own, and what they leave."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from darbench.store import ledger


def rows_of(out: Path) -> list[dict]:
    return ledger.read_ledger(out / "mine" / "ledger")


def finished(out: Path) -> list[dict]:
    return [row for row in rows_of(out) if row["final"] and row["status"] == "ok"]


def start(space: str, out: Path, *more: str) -> subprocess.Popen:
    """`darbench sweep` in a process group of its own."""
    command = [sys.executable, "-m", "darbench", "sweep", "--space", space, "--out", str(out)]
    return subprocess.Popen(
        [*command, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(space: str, out: Path, *more: str) -> tuple[int, str, str]:
    process = start(space, out, *more)
    said = process.communicate(timeout=240)
    return process.returncode, *said


def until(condition: Callable[[], object], seconds: float = 120) -> object:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def workers_of(out: Path) -> list[int]:
    """Process ids in the names of the workers' ledger files."""
    return [int(path.stem.rpartition("-")[2]) for path in (out / "mine" / "ledger").glob("*-*")]
