"""What the diagnosis of a trial costs, as a share of its training and evaluation.

    python benchmarks/diagnosis_cost.py [--tasks NAME ...] [--steps N] [--json FILE]

Every trial runs as `darbench train` runs it, in fewer steps (--steps, of `add`) than its task
has: all evaluations at all checkpoints, and both diagnoses, the early one and that of the trained
model, are those of a whole trial, for none of them depends on how long it trains. Training is
reckoned as the median step times the steps of the task's own budget, so

    share = diagnose_seconds / (step x steps + eval_seconds).

Wall time of one thread; a first trial, which compiles kernels and loads libraries, is left out.
The limit is 5 %.
"""

import argparse
import json
from typing import Any

from darbench.arithmetic import plain_arithmetic
from darbench.registry import signatures
from darbench.search.load import load_trial
from darbench.trial.schedule import checkpoint_steps
from darbench.trial.train import Run

LIMIT = 0.05
TASKS = (
    "digits-nano",
    "digits-micro",
    "shapes-nano",
    "photos-nano",
    "deep-nano",
    *(f"burden-{data}-{ratio}" for data in ("shapes", "photos") for ratio in ("1", "1_8", "2")),
)
ROUTINGS = {
    "add": ("add", []),
    "dar dynamic full": ("dar", ["params.query=dynamic", "params.history=full"]),
    "hyper dynamic n=4": ("hyper", ["params.dynamic=true", "params.streams=4"]),
}


def measure(task: str, name: str, steps: int) -> dict[str, Any]:
    """The times of one trial of a routing, in seconds, and the share of its diagnosis."""
    routing, params = ROUTINGS[name]
    own = load_trial(routing, task, params, 0, signatures()).training
    trial = load_trial(routing, task, [*params, f"training.steps={steps}"], 0, signatures())
    with plain_arithmetic("cpu"):
        run = Run(trial, "cpu")
        for checkpoint in run.checkpoints:
            for step in range(run.done + 1, checkpoint + 1):
                run.step(step)
            measured = run.report(checkpoint).measured
    whole = checkpoint_steps(own, run.flops, run.add_flops)[-1]
    training = measured["step_ms_p50"] / 1e3 * whole
    return {
        "task": task,
        "routing": name,
        "status": measured["status"],
        "steps": whole,
        "training_s": training,
        "evaluation_s": measured["eval_seconds"],
        "diagnosis_s": measured["diagnose_seconds"],
        "share": measured["diagnose_seconds"] / (training + measured["eval_seconds"]),
    }


def table(found: list[dict[str, Any]]) -> str:
    """The records as a table in Markdown."""
    lines = [
        "| task | routing | steps | training, s | evaluation, s | diagnosis, s | share |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in found:
        times = (f"{r[part]:.1f}" for part in ("training_s", "evaluation_s", "diagnosis_s"))
        over = " **over**" if r["share"] > LIMIT else ""
        cells = (r["task"], r["routing"], r["steps"], *times, f"{100 * r['share']:.1f} %{over}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--json", help="a file for the records")
    given = parser.parse_args()
    measure(given.tasks[0], "dar dynamic full", given.steps)
    found = []
    for task in given.tasks:
        for name in ROUTINGS:
            found.append(measure(task, name, given.steps))
            print(table(found).splitlines()[-1], flush=True)
            if given.json:
                with open(given.json, "w") as file:
                    json.dump(found, file, indent=1)
    print(table(found))


if __name__ == "__main__":
    main()
