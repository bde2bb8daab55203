"""A measured deviation, its bound and its interval: closed forms, and coverage by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.deviation import PAIRED, SAFE, Deviation, pooled, shared_freedom

DRAWS = 2000


def differences(variants: int, pairs: int, seed: int = 0) -> list[list[dict[int, float]]]:
    """Many noise floors whose differences to one `add` have a deviation of 1."""
    trials = np.random.default_rng(seed).normal(size=(DRAWS, variants + 1, pairs)) / math.sqrt(2)
    return [[dict(enumerate(own)) for own in each] for each in trials[:, 1:] - trials[:, :1]]


def test_of_one_sample_it_is_the_textbooks():
    own = [0.3, -0.2, 0.9, 0.4, 0.1]
    found = pooled([dict(enumerate(own))], PAIRED)
    assert (found.value, found.freedom) == (pytest.approx(np.std(own, ddof=1)), 4)
    low, high = np.sqrt(4 * np.var(own, ddof=1) / stats.chi2(4).ppf([0.975, 0.025]))
    assert found.interval == pytest.approx((low, high))
    assert stats.chi2(4).sf(4 * found.value**2 / found.upper**2) == pytest.approx(SAFE)


def test_independent_samples_add_their_freedom_and_equal_ones_add_none():
    pairs = set(range(5))
    assert shared_freedom([pairs] * 3, 0.0) == pytest.approx(12)
    assert shared_freedom([pairs] * 3, 1.0) == pytest.approx(4)
    assert shared_freedom([pairs, {7, 8, 9}], 1.0) == pytest.approx(36 / 6)
    assert shared_freedom([pairs] * 2, PAIRED) == pytest.approx(6.4)


def test_samples_with_means_of_their_own_are_pooled_by_their_sizes():
    one, two = {0: 5.0, 1: 6.0, 2: 7.0}, {0: -1.0, 3: 3.0}
    assert pooled([one, two, {4: 9.0}], PAIRED).value == pytest.approx(math.sqrt((2 + 8) / 3))
    assert pooled([{0: 1.0}, {}], PAIRED) is None


@pytest.mark.parametrize(("variants", "pairs"), [(1, 5), (2, 5), (10, 5), (2, 3)])
def test_the_bound_and_the_interval_hold_the_truth_at_least_as_often_as_they_say(variants, pairs):
    found = [pooled(each, PAIRED) for each in differences(variants, pairs)]
    above = np.mean([each.upper >= 1 for each in found])
    inside = np.mean([each.interval[0] <= 1 <= each.interval[1] for each in found])
    assert SAFE - 0.02 < above < SAFE + 0.05 and 0.94 < inside < 0.975


def test_a_deviation_that_was_measured_often_is_nearly_known():
    found = Deviation(value=1.0, freedom=10_000)
    assert 1 < found.upper < 1.01 and found.interval == pytest.approx((1, 1), abs=0.02)
