"""What a CUDA device does with darbench, measured in eight minutes by one command.

    python benchmarks/gpu.py [--only PART ...] [--minutes 8] [--out FOLDER]

Its parts: the tests that need a device, a `--quick` sweep, the noise of two equal trials, the
softmax read over depth, training steps, streams and Sinkhorn, and steps as one graph. Each is a
process of its own, so that none can spoil another's device, and may take its share of the time
that is left; what it has not measured by then is cut off. Ends with gpu.json, which holds every
figure, and gpu.md, a table. Exit code 1 if something failed; the table says what.

Without CUDA the same code runs at toy sizes on the CPU, and no figure means anything.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

import torch
from gpu_parts.record import MOST, Outcome, Row
from gpu_parts.table import Lines, markdown

from darbench.arithmetic import ARITHMETIC, plain_arithmetic
from darbench.store.environment import environment

# The seconds that each may take of eight minutes, in order.
PARTS = {
    "device_tests": 55,
    "quick_sweep": 105,
    "repeat": 35,
    "read": 60,
    "steps": 135,
    "streams": 30,
    "one_graph": 60,
}
GRACE = 10  # seconds in which an interrupted part may end by itself
MARGIN = 15  # seconds of the whole, for the start and for ending the last part


def part_lines() -> dict[str, Lines]:
    return {name: import_module(f"gpu_parts.{name}").LINES for name in PARTS}


def print_rows(part: str, device: str) -> None:
    """Measure a part in this process, and print each row as a line of JSON."""
    with plain_arithmetic(device):
        for row in import_module(f"gpu_parts.{part}").rows(device):
            print(json.dumps(asdict(row)), flush=True)


def measure(parts: list[str], seconds: float) -> Iterator[tuple[str, Outcome]]:
    """Run the parts one after the other, each in its share of the time that is left."""
    end = time.monotonic() + seconds
    for i, part in enumerate(parts):
        share = PARTS[part] / sum(PARTS[later] for later in parts[i:])
        outcome = run(part, share * (end - time.monotonic()))
        print(f"{part}: {outcome.state}, {outcome.seconds:.0f} s", file=sys.stderr)
        yield part, outcome


def run(part: str, allowed: float) -> Outcome:
    """Run a part in a process of its own, for so many seconds at most."""
    command = [sys.executable, __file__, "--part", part]
    started = time.monotonic()
    with TemporaryFile("w+") as out, TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=out, stderr=log, start_new_session=True)
        in_time = ends_within(process, allowed)
        seconds = time.monotonic() - started
        rows, said = _rows(out), _last_line(log)
    if not in_time:
        return Outcome("cut off", seconds, allowed, rows)
    if process.returncode:
        return Outcome("failed", seconds, allowed, rows, said or f"exit {process.returncode}")
    return Outcome("measured", seconds, allowed, rows)


def ends_within(process: subprocess.Popen, seconds: float) -> bool:
    """Wait for a process; afterwards it has ended, and so has all that it had started."""
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _rows(out: TextIO) -> list[Row]:
    out.seek(0)
    lines = (line for line in out if line.startswith('{"line"') and line.endswith("\n"))
    return [Row(**json.loads(line)) for line in lines]


def _last_line(log: TextIO) -> str:
    log.seek(0)
    return (log.read().strip().splitlines() or [""])[-1][:MOST]


def write(found: dict[str, Outcome], device: str, seconds: float, folder: Path) -> str:
    """Write gpu.json and gpu.md into the folder; return what the latter says."""
    name = torch.cuda.get_device_name() if device == "cuda" else ""
    where = environment(device, torch.get_num_threads(), name, ARITHMETIC)
    parts = {part: asdict(outcome) for part, outcome in found.items()}
    record = {"environment": where | {"cuda": torch.version.cuda}, "seconds": seconds}
    toy = "" if device == "cuda" else "Toy sizes on a CPU, of which no figure means anything: "
    head = f"{toy}{where['hw_class']}, torch {where['torch']}, {seconds / 60:.1f} minutes."
    text = f"{head}\n\n{markdown(part_lines(), found)}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.json").write_text(json.dumps(record | {"parts": parts}, indent=1) + "\n")
    (folder / "gpu.md").write_text(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--out", type=Path, default=Path("."), metavar="FOLDER")
    parser.add_argument("--part", choices=PARTS, help="measure it here, and print its rows")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.part:
        return print_rows(options.part, device)
    started, found, text = time.monotonic(), {}, ""
    for part, outcome in measure(options.only, 60 * options.minutes - MARGIN):
        found[part] = outcome  # written at once, for whoever stops the command
        text = write(found, device, time.monotonic() - started, options.out)
    print(text)
    sys.exit(any(outcome.failed for outcome in found.values()))


if __name__ == "__main__":
    main()
