"""Notes on recipes that end too soon for their own settings, so that numbers are not as meant."""

from collections.abc import Iterator

from darbench.records.settings import Training

INITIAL = 0.9  # the most that the initial weights may make up of those that are evaluated


def hasty(training: Training) -> Iterator[str]:
    """Yield a line for each setting that a run of `add` is too short for."""
    initial = training.ema**training.steps
    if initial > INITIAL:
        yield (
            f"training.ema={training.ema}: after {training.steps} steps the averaged weights, "
            f"which are evaluated, are still {initial:.1%} the initial ones; give it a smaller one"
        )
    if training.warmup >= training.steps:
        yield (
            f"training.warmup={training.warmup}: no shorter than the training of {training.steps} "
            "steps, which never reaches training.lr; give it a shorter one"
        )
