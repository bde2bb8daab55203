"""What it costs to save a trial in progress: a save against the steps of the same trial, in turns.

    python benchmarks/saving.py [TASK] [ROUTING] [OVERRIDE...]

Steps and saves take turns in one process, so that what else runs on the machine slows both. The
share is that of a trial which is saved at its checkpoints and every training.save_every_s.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from darbench.arithmetic import plain_arithmetic
from darbench.registry import signatures
from darbench.search.load import load_trial
from darbench.store.shelf import Folder
from darbench.store.states import State, States
from darbench.trial.train import Run

ROUNDS, STEPS = 15, 10


def main(task: str = "digits-nano", routing: str = "add", *overrides: str) -> None:
    trial = load_trial(routing, task, overrides, 0, signatures())
    with plain_arithmetic("cpu"), tempfile.TemporaryDirectory(dir=".") as here:
        run, states = Run(trial, "cpu"), States(Folder(Path(here)), {}, print)
        rounds = [measured(run, states) for _ in range(ROUNDS)][1:]
    size = sum(x.nbytes for x in run.tensors().values()) / 1e6
    step, save, step_wall, save_wall = (median(each) for each in zip(*rounds, strict=True))
    steps = run.checkpoints[-1]
    saves = len(run.checkpoints) + int(steps * step_wall / trial.training.save_every_s)
    print(f"{task}, {routing}: a state of {size:.1f} MB, {saves} saves in {steps} steps")
    print(f"CPU: step {1e3 * step:.1f} ms, save {1e3 * save:.1f} ms")
    print(f"wall: step {1e3 * step_wall:.1f} ms, save {1e3 * save_wall:.1f} ms")
    print(f"share of the time in training: {saves * save / (steps * step):.2%}")


def measured(run: Run, states: States) -> tuple[float, ...]:
    """Return the time of a step and of a save: CPU, then wall."""
    times = [(time.process_time(), time.perf_counter())]
    for _ in range(STEPS):
        run.step(run.done + 1)
    times.append((time.process_time(), time.perf_counter()))
    states.save(State(step=run.done, plain=run.plain(), tensors=run.tensors()))
    times.append((time.process_time(), time.perf_counter()))
    (cpu, wall), (cpu1, wall1), (cpu2, wall2) = times
    return (cpu1 - cpu) / STEPS, cpu2 - cpu1, (wall1 - wall) / STEPS, wall2 - wall1


if __name__ == "__main__":
    main(*sys.argv[1:])
