"""The environment in which a row is measured: versions, commit, processor."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any


def environment(device: str, threads: int, gpu: str, arithmetic: int) -> dict[str, Any]:
    """Return the provenance columns of a row that is written now.

    `gpu` is the name of the CUDA device, if any, and `arithmetic` the version of the kernels.
    """
    return _static() | {
        "arithmetic": arithmetic,
        "device": device,
        "hw_class": gpu or _processor(),
        "threads": threads,
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def _static() -> dict[str, Any]:
    sha = _git("rev-parse", "HEAD")
    return {
        "darbench_version": version("darbench"),
        "git_sha": sha,
        "git_dirty": None if sha is None else bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "torch": version("torch"),
        "cpu": _processor(),
    }


def _git(*arguments: str) -> str | None:
    """Return the output of git in darbench's source tree; None for an installed wheel."""
    tree = Path(__file__).parents[2]
    if not (tree / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=tree, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@cache
def _processor() -> str:
    cores = os.cpu_count()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model} x{cores}"
