"""How much do two trials on two cores slow one another? Beside them, two loops of plain products.

    python benchmarks/side_by_side.py [--task digits-nano] [--routing add] [--rounds N] [--json]

What two cores share, memory and its caches and the clock, slows any two processes; the loops tell
by how much: the MLP's first product at the shape of the task, as often as to take as long as a
step. Two processes work alone and together in turns (A, B, A and B, ...), one thread each. A
slowdown is the median over rounds of the wall time together over that alone.
"""

import argparse
import json
import statistics
import subprocess
import sys

STEPS = 12  # of one turn
CHILD = """
import json, sys, time
from itertools import count
import torch
torch.set_num_threads(1)
from darbench.registry import signatures
from darbench.search.load import load_trial
from darbench.trial.train import Run
task, routing, steps = json.loads(sys.argv[1])
run, numbers = Run(load_trial(routing, task, [], 0, signatures()), "cpu"), count(1)
mlp = run.learner.model.blocks[0].mlp
tokens = run.trial.training.batch * run.learner.model.pos_embed.shape[1]
x, weight = torch.randn(tokens, mlp.fc1.in_features), mlp.fc1.weight.detach()
out = torch.empty(tokens, mlp.fc1.out_features)

def timed(work, times):
    start = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - start

def step():
    run.step(next(numbers))

def product():
    torch.mm(x, weight.mT, out=out)

timed(step, 3)
products = int(steps * timed(step, 10) / 10 / (timed(product, 100) / 100))
print(flush=True)
for line in sys.stdin:
    print(timed(step, steps) if line == "trial\\n" else timed(product, products), flush=True)
"""


class Worker:
    """A process that makes steps, or products, when it is told to."""

    def __init__(self, task: str, routing: str):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps([task, routing, STEPS])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.process.stdout.readline()

    def start(self, work: str) -> None:
        self.process.stdin.write(f"{work}\n")
        self.process.stdin.flush()

    def seconds(self) -> float:
        """Wait for what was started."""
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def round_of(workers: list[Worker], work: str) -> float:
    """The slowdown in one round, the mean of the two processes'."""
    alone = []
    for worker in workers:
        worker.start(work)
        alone.append(worker.seconds())
    for worker in workers:
        worker.start(work)
    together = [worker.seconds() for worker in workers]
    return statistics.mean(b / a for a, b in zip(alone, together, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="digits-nano")
    parser.add_argument("--routing", default="add")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    workers = [Worker(options.task, options.routing) for _ in range(2)]
    try:
        rounds = [
            (round_of(workers, "trial"), round_of(workers, "product"))
            for _ in range(options.rounds)
        ]
    finally:
        for worker in workers:
            worker.close()
    trial, product = (statistics.median(found) for found in zip(*rounds, strict=True))
    record = {"trial": trial, "product": product, "ratio": trial / product}
    if options.json:
        print(json.dumps(record | {"task": options.task, "routing": options.routing}))
        return
    print(f"two trials {trial:.3f}x, two loops of products {product:.3f}x: {trial / product:.3f}")


if __name__ == "__main__":
    main()
