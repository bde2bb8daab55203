"""The learning rate over a trial: a warm-up in steps, a decay in shares of its budget."""

import math
from collections.abc import Callable

from darbench.records.settings import Training

# What remains of the rate where this share of the decay is still to come.
SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda left: 1.0,
    "linear": lambda left: left,
    "cosine": lambda left: 0.5 - 0.5 * math.cos(math.pi * left),
}


def rate_factor(training: Training, step: int, flops: float, add_flops: float) -> float:
    """Return what multiplies the learning rate in the step that follows `step` steps.

    flops, add_flops: training FLOPs of a step of the trial, and of one of `add`.
    """
    done = step * flops / (training.steps * add_flops)
    return warm_up(training, step) * decay(training, done)


def warm_up(training: Training, step: int) -> float:
    """A line that reaches 1 after `training.warmup` steps; the first step's rate is above 0."""
    return min(1.0, (step + 1) / (training.warmup + 1))


def decay(training: Training, done: float) -> float:
    """1 until the last `training.decay` of the budget, then a fall to 0 at its end.

    done: share of the budget, in training FLOPs. Counted so, all variants of a comparison end at
    the same rate, however many steps they make.
    """
    left = max(0.0, 1.0 - done) / training.decay
    return SHAPES[training.schedule](min(1.0, left))
