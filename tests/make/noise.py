"""Rows whose noise is known."""

import numpy as np

from tests.make.rows import last_row


def noisy_rows(space, training=0.02, generation=0.01, metric=0.005, own=0.01) -> list[dict]:
    """Make last rows with known noise: shared by the trials of a pair id, and each trial's own."""
    rng = np.random.default_rng(3)
    seeds = {seed: training * rng.normal() for seed in space.seeds}
    shared = metric * rng.normal(size=5)  # of the metric's draws, the same for every trial
    rows = []
    for configuration in space.grid():
        for seed in space.seeds:
            level = seeds[seed] + own * rng.normal()
            losses = np.exp(level + shared)
            drawn = np.exp(level + generation * rng.normal(size=5))
            row = last_row(configuration.trial(seed, "confirm"), losses[0])
            rows.append(
                row
                | {
                    "val_loss_redraws": [*losses],
                    "fd": drawn[0],
                    "fd_redraws": [*drawn],
                    "fd_reference_redraws": [*(1.1 * drawn[0] * np.exp(shared[1:]))],
                    "train_seconds": 3.0,
                    "eval_seconds": 1.0,
                }
            )
    return rows
