"""How much memory does a worker of a sweep hold, and does it grow from trial to trial?

    python benchmarks/memory.py             # 55 trials of dar_forms, one worker, the CPU
    python benchmarks/memory.py --trials 15

Trials are short, but every array that is scored has the task's full size. After each trial the
resident memory of the worker, its part that no other process shares, its peak within the trial,
and what all other processes of Ray hold (each shared page counted once). Exit code 1 if the worker
holds more than LIMIT after a trial, or grows by more than GROWTH from the tenth to the last.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import darbench
from darbench.search.progress import Progress

LIMIT, GROWTH, SETTLED = 1.2e9, 0.02, 10  # bytes, share, and the trial from which it is counted
SHORT = [
    "training.steps=4",
    "training.checkpoints=[0.5,1.0]",
    "evaluation.fd_from=0.5",
    "evaluation.sampler=euler",
    "evaluation.sampler_steps=2",
]
VARIANTS = 11  # of dar_forms


def descendants(process: str | int) -> Iterator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from descendants(child)


def memory(process: int) -> dict[str, int]:
    """Bytes by the names of the kernel: Rss is resident, Pss divides what several share."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return {name: 1024 * int(kb) for name, kb in re.findall(r"(\w+): +(\d+) kB", text)}


def last_row(ledger: Path) -> dict:
    return json.loads(ledger.read_text(encoding="utf-8").splitlines()[-1])


class Curve:
    """A listener of a sweep that measures its worker after every trial."""

    def __init__(self, ledger: Path):
        self.ledger = ledger
        self.held: list[int] = []

    def __call__(self, progress: Progress) -> None:
        if progress.done == len(self.held):
            return
        (path,) = self.ledger.glob("*-*.jsonl")  # a hash of the host, and the process: one worker
        worker, row = int(path.stem.rpartition("-")[2]), last_row(path)
        own = memory(worker)
        rest = sum(memory(each)["Pss"] for each in descendants("self") if each != worker)
        self.held.append(own["Rss"])
        print(
            f"{len(self.held):3} {row['routing']:12} {own['Rss'] / 1e9:.3f} GB after it, "
            f"{own['Anonymous'] / 1e9:.3f} its own; peak {row['peak_mem_bytes'] / 1e9:.3f}; "
            f"Ray {rest / 1e9:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=55)
    seeds = list(range(-(-parser.parse_args().trials // VARIANTS)))
    with tempfile.TemporaryDirectory() as out:
        curve = Curve(Path(out) / "dar_forms" / "ledger")
        darbench.sweep(
            "dar_forms",
            [*SHORT, f"seeds={seeds}"],
            out=out,
            workers=1,
            device="cpu",
            listener=curve,
        )
    growth = curve.held[-1] / curve.held[min(SETTLED, len(curve.held)) - 1] - 1
    print(f"most {max(curve.held) / 1e9:.3f} GB; grew by {growth:+.1%} from trial {SETTLED} on")
    sys.exit(max(curve.held) > LIMIT or growth > GROWTH)


if __name__ == "__main__":
    main()
