"""The time that a sweep's trials still take, from those that have ended and those that run."""

from collections.abc import Sequence

from darbench.store.standing import ENOUGH


def seconds_left(
    lengths: Sequence[float], ages: Sequence[float], left: int, workers: int
) -> float | None:
    """Return the seconds until `left` trials have ended; None while too few have.

    lengths: of trials that ended, in seconds. ages: of those that run, which are some of `left`.
    The first to end are the short ones, so one that runs for longer than their mean counts as one
    of that length. At the end workers run out of trials, half a trial apart in the mean.
    """
    if len(lengths) < ENOUGH:
        return None
    mean = sum(lengths) / len(lengths)
    known = [*lengths, *(age for age in ages if age > mean)]
    mean = sum(known) / len(known)
    work = left * mean - sum(min(age, mean) for age in ages)
    idle = mean / 2 * min(workers - 1, max(0, left - 1))
    return (work + idle) / workers
