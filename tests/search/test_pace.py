"""The time left against simulated sweeps whose ends are known."""

import heapq
import random
from statistics import median

import pytest

from darbench.search.pace import seconds_left
from darbench.store.standing import ENOUGH

SWEEPS, TRIALS, VARIANTS = 400, 40, 8


def told(workers: int, seed: int, after: int, share: float) -> float:
    """The time that is told, over the true one, between an end and the next."""
    drawn = random.Random(seed)
    costs = [drawn.uniform(1, 3) for _ in range(VARIANTS)]  # in turns, seed by seed
    lengths = [costs[i % VARIANTS] * drawn.lognormvariate(0, 0.1) for i in range(TRIALS)]
    free, trials = [0.0] * workers, []
    for length in lengths:
        start = heapq.heappop(free)
        trials.append((start, start + length))
        heapq.heappush(free, start + length)
    ends = sorted(end for _, end in trials)
    now = ends[after - 1] + share * (ends[after] - ends[after - 1])
    ended = [end - start for start, end in trials if end <= now]
    ages = [now - start for start, end in trials if start <= now < end]
    return seconds_left(ended, ages, TRIALS - len(ended), workers) / (ends[-1] - now)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("after", [ENOUGH, 8, 20])
@pytest.mark.parametrize("share", [0, 0.5])
def test_of_unequal_trials_the_time_left_is_right_in_the_middle_and_seldom_far(
    workers, after, share
):
    ratios = [told(workers, seed, after, share) for seed in range(SWEEPS)]
    assert median(ratios) == pytest.approx(1, abs=0.1)
    assert sum(not 1 / 1.5 < ratio < 1.5 for ratio in ratios) <= 0.03 * SWEEPS


def test_equal_trials_are_told_exactly():
    assert seconds_left([10.0] * 3, [4.0], 5, workers=1) == pytest.approx(46)
    assert seconds_left([10.0] * 9, [4.0], 1, workers=1) == pytest.approx(6)


def test_nothing_is_told_of_too_few():
    assert seconds_left([1.0] * (ENOUGH - 1), [9.0], 9, workers=2) is None
