"""The checkpoints of a trial: steps that reach given fractions of its budget in FLOPs."""

import math

from darbench.records.settings import Training


def checkpoint_steps(training: Training, flops: float, add_flops: float) -> list[int]:
    """Return the first steps whose training FLOPs reach the checkpoints' parts of the budget."""
    fractions = training.checkpoints
    return sorted({step_at(fraction, training, flops, add_flops) for fraction in fractions})


def step_at(fraction: float, training: Training, flops: float, add_flops: float) -> int:
    """Return the first step whose cumulative training FLOPs reach a fraction of the budget."""
    # The slack keeps rounding from adding a step where the division is exact.
    return max(1, math.ceil(fraction * training.steps * add_flops / flops - 1e-9))
