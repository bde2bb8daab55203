import math

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.noise import common, crossed, nested, pairing

RNG = np.random.default_rng(0)


def test_nested_components_are_those_of_the_analysis_of_variance():
    draws = RNG.normal(size=(6, 1)) + 0.3 * RNG.normal(size=(6, 4))
    found = nested(draws)
    within = np.mean([row.var(ddof=1) for row in draws])
    f = stats.f_oneway(*draws).statistic  # mean squares between over those within
    assert found.redraws == pytest.approx(math.sqrt(within))
    assert found.trials == pytest.approx(math.sqrt(within * (f - 1) / 4))


def test_crossed_components_sum_to_the_total_sum_of_squares():
    n, k = 5, 4
    draws = RNG.normal(size=(n, 1)) + RNG.normal(size=k) + 0.2 * RNG.normal(size=(n, k))
    rows, columns = draws.mean(axis=1), draws.mean(axis=0)
    total = ((draws - draws.mean()) ** 2).sum()
    rest = total - k * rows.var() * n - n * columns.var() * k
    mixed = rest / ((n - 1) * (k - 1))
    found = crossed(draws)
    assert found.trials == pytest.approx(math.sqrt(rows.var(ddof=1) - mixed / k))
    assert found.redraws == pytest.approx(math.sqrt(columns.var(ddof=1) - mixed / n + mixed))


@pytest.mark.parametrize("analyse", [nested, crossed])
def test_components_are_unbiased(analyse):
    shape = (4000, 5, 5)
    trials = 0.02 * RNG.normal(size=(4000, 5, 1))
    common = 0.03 * RNG.normal(size=(4000, 1, 5)) if analyse is crossed else 0
    draws = trials + common + 0.01 * RNG.normal(size=shape)
    found = analyse(draws)  # pooled over 4000 repetitions
    assert found.trials == pytest.approx(0.02, rel=0.03)
    redraws = math.hypot(0.03, 0.01) if analyse is crossed else 0.01
    assert found.redraws == pytest.approx(redraws, rel=0.03)


def test_what_a_redraw_adds_to_all_alike_is_told_from_what_it_adds_to_each():
    shared = 0.03 * RNG.normal(size=(4000, 1, 5))
    draws = RNG.normal(size=(4000, 5, 1)) + shared + 0.05 * RNG.normal(size=(4000, 5, 5))
    assert common(draws) == pytest.approx(0.03, rel=0.03)
    assert common(draws - shared) < 0.006
    assert common(np.array([[0.0, 1.0], [0.0, -1.0]])) == 0.0


def test_a_shared_redraw_does_not_blur_the_trials():
    trials = np.array([[1.0], [2.0], [3.0]])
    assert crossed(trials + np.array([0.0, 10.0])).trials == pytest.approx(1.0)
    assert nested(trials + np.array([0.0, 10.0])).trials == 0.0  # taken for noise of the means


def test_components_need_two_of_each():
    for shape in ((1, 4), (4, 1)):
        with pytest.raises(ValueError, match="two trials of two redraws"):
            nested(np.zeros(shape))
        with pytest.raises(ValueError, match="two trials of two redraws"):
            crossed(np.zeros(shape))


def test_pairing_is_that_of_the_sample_moments():
    base = RNG.normal(size=8)
    other = 0.8 * base + RNG.normal(size=8)
    found = pairing(base, other[None])
    variance = (base.var(ddof=1) + other.var(ddof=1)) / 2
    assert found.seed == pytest.approx(math.sqrt(variance))
    assert found.pair == pytest.approx((other - base).std(ddof=1))
    covariance = np.cov(base, other)[0, 1]
    assert found.correlation == pytest.approx(covariance / variance)


def test_pairing_pools_over_variants_and_recovers_the_truth():
    shared = RNG.normal(size=20_000)
    base, *others = (shared + 0.5 * RNG.normal(size=20_000) for _ in range(4))
    found = pairing(base, np.array(others))
    assert found.correlation == pytest.approx(1 / 1.25, abs=0.01)
    assert found.pair == pytest.approx(math.sqrt(0.5), rel=0.02)


def test_trials_without_noise_are_fully_paired():
    assert pairing([1.0, 1.0], np.array([[2.0, 2.0]])).correlation == 1.0


def test_pairing_needs_the_same_pair_ids():
    with pytest.raises(ValueError, match="two pair ids that all have"):
        pairing([1.0], np.array([[1.0]]))
    with pytest.raises(ValueError, match="two pair ids that all have"):
        pairing([1.0, 2.0], np.array([[1.0, 2.0, 3.0]]))
