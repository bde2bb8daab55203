"""A first look as a user takes it, on the device: the command line of a `--quick` sweep."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from gpu_parts.record import Row

COMMAND = ("sweep", "--space", "dar_variants", "--quick")
TOY = ("training.steps=4", "evaluation.n_gen=64", "--workers", "1")
LINE = f"`darbench {' '.join(COMMAND)}`"
LINES = {LINE: ("small",)}


def rows(device: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as out:
        words = [*COMMAND, "--device", device, "--out", out, *(TOY if device == "cpu" else ())]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "darbench", *words], capture_output=True, text=True
        )
        minutes = (time.perf_counter() - started) / 60
    code = done.returncode
    figures = {"exit_code": code, "minutes": minutes, "said": done.stderr[-2000:] if code else ""}
    cell = f"exit code {code}; {minutes:.1f} minutes"
    yield Row(LINE, "small", cell, figures, failed=code != 0)
