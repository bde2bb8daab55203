"""Is a training step as fast after a change to darbench as before it? Two checkouts, step by step.

    python benchmarks/two_trees.py BEFORE [AFTER] [--shape nano S/2] [--width 0.02]

A process of each checkout holds the same model; they take turns (A B B A ...), one thread each,
only one of them working. Two processes may differ by 2 % for as long as they live, whatever they
run, so what is counted is the pair of processes: the median of its rounds, in each of which the
time of AFTER's turn is divided by that of BEFORE's next to it. The interval is the exact 95 % one
of the median of pairs, from order statistics. New pairs come until it is `--width` wide or
`--most` pairs are done. Exit code 1 if an interval lies above 1. S/2 has a batch of 2 here, which
shows overhead more than a larger one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from scipy.stats import binom

HERE = Path(__file__).parents[1]
VARIANTS = (
    ("dar", {"query": "static_t", "history": "chunk_last", "span": 4}),
    ("dar", {"query": "dynamic", "history": "full"}),
    ("hyper", {"dynamic": True, "streams": 4}),
    ("mhc", {"streams": 4}),
    ("attnres", {}),
)
STEPS = {"nano": 8, "S/2": 1}  # of one turn
BATCH = {"nano": 64, "S/2": 2}
ROUNDS = 6  # of one pair of processes
LEAST = 9  # pairs of processes
CHILD = """
import dataclasses, json, sys, time
import torch
torch.set_num_threads(1)
from step_time import SHAPES, Bench, random_batch
name, batch, routing, params, steps = json.loads(sys.argv[1])
shape = dataclasses.replace(SHAPES[name], batch=batch)
bench = Bench(routing, params, shape, "cpu")
batch = random_batch(shape, "cpu")
bench.step(batch)
bench.step(batch)
for _ in sys.stdin:
    start = time.perf_counter()
    for _ in range(steps):
        bench.step(batch)
    print(time.perf_counter() - start, flush=True)
"""


class Tree:
    """A model of one checkout, in a process of its own that waits for its turn."""

    def __init__(self, tree: Path, shape: str, routing: str, params: dict):
        job = json.dumps([shape, BATCH[shape], routing, params, STEPS[shape]])
        path = os.pathsep.join(map(str, (tree.resolve(), tree.resolve() / "benchmarks")))
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, job],
            env=os.environ | {"PYTHONPATH": path},
            cwd=tree,  # which Python looks into first
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self) -> float:
        """Seconds of one turn."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def interval(ratios: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median: the number of values below it is binomial (n, 1/2)."""
    ordered, n = sorted(ratios), len(ratios)
    outer = int(binom.ppf(0.025, n, 0.5))
    if outer < 1:  # fewer than six values say nothing with 95 %
        return float("-inf"), float("inf")
    return ordered[outer - 1], ordered[n - outer]


def ratio(before: Path, after: Path, shape: str, routing: str, params: dict) -> float:
    """The median ratio of one pair of processes."""
    trees = [Tree(tree, shape, routing, params) for tree in (before, after)]
    try:
        for tree in trees:
            tree.turn()
        ratios = []
        for i in range(ROUNDS):
            times = {j: trees[j].turn() for j in ((0, 1) if i % 2 else (1, 0))}
            ratios.append(times[1] / times[0])
        return statistics.median(ratios)
    finally:
        for tree in trees:
            tree.close()


def compare(
    before: Path, after: Path, shape: str, routing: str, params: dict, width: float, most: int
) -> tuple[list[float], float, float]:
    """The ratios of pairs, and the interval of their median."""
    ratios: list[float] = []
    while len(ratios) < most:
        ratios.append(ratio(before, after, shape, routing, params))
        low, high = interval(ratios)
        if high - low <= width and len(ratios) >= LEAST:
            break
    return ratios, *interval(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", default=HERE)
    parser.add_argument("--shape", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--routing", nargs="+", default=[name for name, _ in VARIANTS])
    parser.add_argument("--width", type=float, default=0.02)
    parser.add_argument("--most", type=int, default=40)
    options = parser.parse_args()
    slower = False
    for shape in options.shape:
        for routing, params in VARIANTS:
            if routing not in options.routing:
                continue
            ratios, low, high = compare(
                options.before, options.after, shape, routing, params, options.width, options.most
            )
            slower |= low > 1
            name = " ".join([routing, *(f"{k}={v}" for k, v in params.items())])
            print(
                f"{shape:5} {name:45} {statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}], "
                f"{len(ratios)} pairs",
                flush=True,
            )
    sys.exit(slower)


if __name__ == "__main__":
    main()
