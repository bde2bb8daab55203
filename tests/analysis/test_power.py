import math

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.power import MOST, POWER, power, seeds_needed, smallest_effect


@pytest.mark.parametrize(("n", "effect"), [(3, 0.040), (5, 0.026), (10, 0.017)])
def test_the_protocols_unpaired_figures_hold(n, effect):
    """docs of the protocol: a coefficient of variation of 1.3 % and 80 % power."""
    assert smallest_effect(0.013, n, paired=False) == pytest.approx(effect, abs=0.0008)


def test_the_protocols_paired_figure_holds():
    deviation = 0.013 * math.sqrt(2 * (1 - 0.8))
    assert smallest_effect(deviation, 5) == pytest.approx(0.014, abs=0.0005)


@pytest.mark.parametrize("level", [0.95, 0.995])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_power_is_that_of_the_noncentral_t(n, paired, level):
    freedom, error = (n - 1, n**-0.5) if paired else (2 * n - 2, (2 / n) ** 0.5)
    critical, distance = stats.t.ppf((1 + level) / 2, freedom), stats.nct(freedom, 1.5 / error)
    expected = distance.sf(critical) + distance.cdf(-critical)
    assert power(1.5, 1.0, n, paired=paired, level=level) == pytest.approx(expected, abs=1e-4)


def test_power_is_the_share_of_simulated_tests_that_separate():
    rng, n = np.random.default_rng(1), 4
    draws = rng.normal(0.03, 0.02, size=(100_000, n))
    rejected = (stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05).mean()
    assert power(0.03, 0.02, n) == pytest.approx(rejected, abs=0.005)
    a, b = rng.normal(0.03, 0.02, (100_000, n)), rng.normal(0, 0.02, (100_000, n))
    rejected = (stats.ttest_ind(a, b, axis=1).pvalue < 0.05).mean()
    assert power(0.03, 0.02, n, paired=False) == pytest.approx(rejected, abs=0.005)


def test_without_an_effect_the_power_is_the_level():
    assert power(0.0, 0.02, 5) == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize("level", [0.95, 0.995, 0.9999])
def test_the_smallest_effect_has_the_power_that_is_asked_for(level):
    for n in (2, 3, 5, 10, 100):
        shift = math.log1p(smallest_effect(0.01, n, level=level))
        assert power(shift, 0.01, n, level=level) == pytest.approx(POWER, abs=1e-6)


@pytest.mark.parametrize("level", [0.95, 0.995])
def test_seeds_needed_are_the_fewest(level):
    for effect in (0.005, 0.01, 0.02, 0.2):
        n = seeds_needed(effect, 0.01, level=level)
        assert smallest_effect(0.01, n, level=level) <= effect
        assert n == 2 or smallest_effect(0.01, n - 1, level=level) > effect


def test_what_no_reasonable_number_of_seeds_sees_is_none():
    assert seeds_needed(1e-5, 0.1) is None
    assert seeds_needed(1.001 * smallest_effect(0.1, MOST), 0.1) <= MOST


def test_noise_of_zero_needs_two_seeds():
    assert smallest_effect(0.0, 5) == 0.0
    assert seeds_needed(0.01, 1e-12) == 2


def test_one_seed_separates_nothing():
    assert power(1.0, 0.01, 1) == 0.0
    with pytest.raises(ValueError, match="one seed"):
        smallest_effect(0.01, 1)
