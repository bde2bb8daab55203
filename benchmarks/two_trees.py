"""Is a training step faster after a change to darbench than before it? Two checkouts in turns.

    python benchmarks/two_trees.py BEFORE [AFTER] [--at digits-nano shapes-nano S/2]
                                   [--routing add dar ...] [--width 0.02] [--most N]

A process of each checkout holds the same models; they take turns (A B B A ...), one thread each,
only one of them working. At a task a step is `Run.step`, as a sweep runs it: drawing the batch,
audit, optimizer and average included; at S/2 it is one step on a random batch of eight. Times are
of the processor. Two processes may differ by 2 % for as long as they live, whatever they run, so
what is counted is the pair of processes: the median of its rounds, in each of which the time of
AFTER's turn is divided by that of BEFORE's next to it; `added` is the same for what a routing
takes beyond `add`. The interval is the exact 95 % one of the median of pairs, from order
statistics. New pairs come until it is `--width` wide for every routing or `--most` are done. Exit
code 1 if the interval of a step lies above 1.
"""

import argparse
import statistics
import sys
from pathlib import Path

from scipy.stats import binom
from turns import Turns

HERE = Path(__file__).parents[1]
VARIANTS = (
    ("add", {}),
    ("dar", {"query": "static", "history": "chunk_last", "span": 4}),
    ("dar", {"query": "static_t", "history": "chunk_last", "span": 4}),
    ("dar", {"query": "static", "history": "full"}),
    ("dar", {"query": "dynamic", "history": "full"}),
    ("hyper", {"dynamic": True, "streams": 4}),
    ("mhc", {"streams": 4}),
    ("attnres", {}),
)
STEPS = {"digits-nano": 4, "shapes-nano": 3, "S/2": 1}  # of one turn
ROUNDS = 6  # of one pair of processes
LEAST = 9  # pairs of processes
CHILD = """
import json, sys, time
from functools import partial
import torch
torch.set_num_threads(1)
at, variants, steps = json.loads(sys.argv[1])

def on_random_batch(routing, params):
    from step_time import SHAPES, Bench, random_batch
    return partial(Bench(routing, params, SHAPES[at], "cpu").step, random_batch(SHAPES[at], "cpu"))

def of_run(routing, params):
    from itertools import count
    from darbench.registry import signatures
    from darbench.search.load import load_trial
    from darbench.trial.train import Run
    given = [f"params.{key}={value}" for key, value in params.items()]
    run, numbers = Run(load_trial(routing, at, given, 0, signatures()), "cpu"), count(1)
    return lambda: run.step(next(numbers))

made = [(of_run if "-" in at else on_random_batch)(*variant) for variant in variants]
for step in made:
    step(); step()
for line in sys.stdin:
    start = time.process_time()
    for _ in range(steps):
        made[int(line)]()
    print(time.process_time() - start, flush=True)
"""


def child(tree: Path, at: str, variants: list[tuple[str, dict]]) -> Turns:
    """The models of one checkout; a turn with a variant's number takes so many seconds."""
    return Turns(tree, CHILD, [at, variants, STEPS[at]], tree / "benchmarks")


def interval(ratios: list[float]) -> tuple[float, float]:
    """The 95 % interval of the median: the number of values below it is binomial (n, 1/2)."""
    ordered, n = sorted(ratios), len(ratios)
    outer = int(binom.ppf(0.025, n, 0.5))
    if outer < 1:  # fewer than six values say nothing with 95 %
        return float("-inf"), float("inf")
    return ordered[outer - 1], ordered[n - outer]


def one_pair(
    before: Path, after: Path, at: str, variants: list[tuple[str, dict]]
) -> list[tuple[float, float]]:
    """The median ratios of one pair of processes, of each step and of what it takes beyond add."""
    trees = [child(tree, at, variants) for tree in (before, after)]
    try:
        rounds = [[_turns(trees, v, i) for v in range(len(variants))] for i in range(ROUNDS)]
    finally:
        for tree in trees:
            tree.close()
    found = []
    for v in range(len(variants)):
        step = statistics.median(times[v][1] / times[v][0] for times in rounds)
        extra = [statistics.median(t[v][k] - t[0][k] for t in rounds) for k in (0, 1)]
        found.append((step, extra[1] / extra[0] if v and extra[0] > 0 else float("nan")))
    return found


def _turns(trees: list[Turns], variant: int, round_: int) -> tuple[float, float]:
    """Seconds of a turn before and after, every second round in the other order."""
    times = {k: trees[k].turn(variant) for k in ((0, 1) if round_ % 2 else (1, 0))}
    return times[0], times[1]


def compare(
    before: Path, after: Path, at: str, variants: list[tuple[str, dict]], width: float, most: int
) -> list[list[tuple[float, float]]]:
    """For every variant the ratios of all pairs."""
    pairs: list[list[tuple[float, float]]] = []
    while len(pairs) < most:
        pairs.append(one_pair(before, after, at, variants))
        bounds = [interval([step for step, _ in found]) for found in zip(*pairs, strict=True)]
        if len(pairs) >= LEAST and all(high - low <= width for low, high in bounds):
            break
    return [list(found) for found in zip(*pairs, strict=True)]


def _shown(ratios: list[float]) -> str:
    low, high = interval(ratios)
    return f"{statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", default=HERE)
    parser.add_argument("--at", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--routing", nargs="+", default=[name for name, _ in VARIANTS[1:]])
    parser.add_argument("--width", type=float, default=0.02)
    parser.add_argument("--most", type=int, default=40)
    options = parser.parse_args()
    variants = [v for v in VARIANTS if v[0] in {"add", *options.routing}]
    slower = False
    for at in options.at:
        found = compare(options.before, options.after, at, variants, options.width, options.most)
        print(f"{at}, {len(found[0])} pairs\n{'':45} {'step':26}added")
        for (routing, params), ratios in zip(variants, found, strict=True):
            steps, added = zip(*ratios, strict=True)
            slower |= interval(list(steps))[0] > 1
            name = " ".join([routing, *(f"{k}={v}" for k, v in params.items())])
            beyond = "" if routing == "add" else _shown(list(added))
            print(f"{name:45} {_shown(list(steps)):26}{beyond}", flush=True)
    sys.exit(slower)


if __name__ == "__main__":
    main()
