"""Seconds of the commands that only tell, with an empty cache and with a filled one.

    python benchmarks/listings.py [--repeats N] [--json]

Every command runs as a process of its own, N times with an empty cache and N times with what it
left there, and in between a process that only imports torch; the numbers are medians. A command
that never needs torch is to take 1 s at most, and `--help` 0.3 s; the others 2 s with a filled
cache, and with an empty one 3 s more than the import of torch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMMANDS = (
    "--help",
    "list tasks",
    "list spaces",
    "list routings",
    "describe dar",
    "describe digits-nano",
    "describe dar_variants",
    "plan --task digits-nano --effect 2%",
    "sweep --space dar_variants --dry-run",
    "sweep --space repa --dry-run",
    "noise-floor --task digits-nano --dry-run",
)
TORCH = [sys.executable, "-c", "import torch"]
PACKAGE = Path(__file__).parents[1]


def seconds(command: list[str], cache: Path) -> float:
    environment = {"PYTHONPATH": str(PACKAGE), **os.environ, "DARBENCH_CACHE": str(cache)}
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure(line: str, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "darbench", *line.split()]
    cold, warm, torch = [], [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            torch.append(seconds(TORCH, Path(cache)))
            cold.append(seconds(command, Path(cache)))
            warm.append(seconds(command, Path(cache)))
    medians = {name: statistics.median(times) for name, times in (("cold", cold), ("warm", warm))}
    return {"command": line, **medians, "import torch": statistics.median(torch)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [measure(line, given.repeats) for line in COMMANDS]
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'seconds':42}{'cold':>8}{'warm':>8}{'import torch':>14}{'cold - torch':>14}")
    for row in rows:
        torch = row["import torch"]
        times = f"{row['cold']:8.2f}{row['warm']:8.2f}{torch:14.2f}{row['cold'] - torch:14.2f}"
        print(f"{row['command']:42}{times}")


if __name__ == "__main__":
    main()
