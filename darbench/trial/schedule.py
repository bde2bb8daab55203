"""Checkpoints of a trial: fractions of its budget in training FLOPs, and the steps that reach
them."""

import math

from darbench.records.settings import Training


def checkpoint_steps(training: Training, flops: float, add_flops: float) -> list[int]:
    """First steps whose cumulative training FLOPs reach each checkpoint's part of the budget."""
    fractions = training.checkpoints
    return sorted({step_at(fraction, training, flops, add_flops) for fraction in fractions})


def step_at(fraction: float, training: Training, flops: float, add_flops: float) -> int:
    """First step whose cumulative training FLOPs reach that fraction of the budget."""
    # The small slack keeps rounding from adding a step where the division is exact.
    return max(1, math.ceil(fraction * training.steps * add_flops / flops - 1e-9))
