import math
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from darbench.analysis.effects import hochberg, interpolate_log, paired_effect, t_interval


def test_effect_equals_scipys_paired_t_test():
    rng = np.random.default_rng(0)
    add, variant = rng.lognormal(1.0, 0.1, 5), rng.lognormal(0.95, 0.1, 5)
    effect = paired_effect(np.log(variant) - np.log(add))
    oracle = scipy_stats.ttest_rel(np.log(variant), np.log(add))
    interval = oracle.confidence_interval(0.95)
    geometric = math.prod(variant / add) ** (1 / 5) - 1
    assert effect.n == 5
    assert effect.mean == pytest.approx(geometric, rel=1e-12)
    assert effect.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    assert effect.low == pytest.approx(math.expm1(interval.low), rel=1e-9)
    assert effect.high == pytest.approx(math.expm1(interval.high), rel=1e-9)


def test_effect_is_a_ratio_so_swapping_the_sides_inverts_it():
    d = np.array([0.02, -0.01, 0.05])
    there, back = paired_effect(d), paired_effect(-d)
    assert (1 + there.mean) * (1 + back.mean) == pytest.approx(1)
    assert (1 + there.low) * (1 + back.high) == pytest.approx(1)
    assert there.p_value == pytest.approx(back.p_value)


def test_one_seed_has_no_interval_and_none_has_no_effect():
    effect = paired_effect([math.log(0.9)])
    assert effect.mean == pytest.approx(-0.1)
    assert (effect.low, effect.high, effect.p_value, effect.n) == (None, None, None, 1)
    assert not effect.separated
    assert paired_effect([]) is None


def test_a_variant_that_is_add_up_to_rounding_is_no_difference():
    effect = paired_effect([2e-16, 2e-16, 2e-16])
    assert (effect.mean, effect.low, effect.high, effect.p_value) == (0, 0, 0, 1)
    assert not effect.separated


def test_separated_means_zero_is_outside():
    assert paired_effect([0.10, 0.11, 0.12]).separated
    assert paired_effect([-0.10, -0.11, -0.12]).separated
    assert not paired_effect([0.10, -0.11, 0.12]).separated


def test_differences_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        paired_effect([0.1, math.nan])


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_chance_of_a_further_seed_is_as_often_kept_as_it_says(n):
    """Held against the further draw instead of 0, a chance that is true is uniform."""
    rng = np.random.default_rng(n)
    seeds, further = rng.normal(0.03, 0.2, (4000, n)), rng.normal(0.03, 0.2, (4000, 1))
    chances = [paired_effect(d).chance for d in seeds - further]
    assert scipy_stats.kstest(chances, "uniform").pvalue > 0.01


def test_the_chance_of_a_further_seed_is_that_of_its_t_distribution():
    d = np.array([-0.02, 0.01, -0.05, -0.01])
    width = d.std(ddof=1) * math.sqrt(1 + 1 / 4)
    wanted = scipy_stats.t(3, loc=d.mean(), scale=width).cdf(0)
    assert paired_effect(d).chance == pytest.approx(wanted, rel=1e-9)
    assert paired_effect(-d).chance == pytest.approx(1 - wanted, rel=1e-9)
    assert paired_effect([0.0, 0.0]).chance == 0.5 and paired_effect([-0.1, -0.1]).chance == 1
    assert paired_effect([-0.1]).chance is None and paired_effect(d).bare.chance is None


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_covers_the_truth_95_times_in_100(n):
    draws = np.random.default_rng(n).normal(0.03, 0.2, (20_000, n))
    mean, half = t_interval(draws)
    coverage = np.mean(np.abs(mean - 0.03) <= half)
    assert 0.93 <= coverage <= 0.97


def test_what_outlived_a_failure_has_neither_interval_nor_p():
    effect = paired_effect([0.10, 0.11, 0.12])
    assert (effect.bare.low, effect.bare.high, effect.bare.p_value) == (None, None, None)
    assert (effect.bare.mean, effect.bare.n) == (effect.mean, 3) and not effect.bare.separated


def step_up(p, level):
    """Hochberg's procedure as it is defined: the largest k with p_(k) <= level / (m - k + 1)."""
    order = sorted(range(len(p)), key=p.__getitem__)
    passing = [k for k, i in enumerate(order, 1) if p[i] <= level / (len(p) - k + 1)]
    return set(order[: max(passing, default=0)])


def step_down(p, level):
    """Holm's: up to the first k with p_(k) > level / (m - k + 1)."""
    rejected = set()
    for k, i in enumerate(sorted(range(len(p)), key=p.__getitem__), 1):
        if p[i] > level / (len(p) - k + 1):
            break
        rejected.add(i)
    return rejected


def closed(p, level):
    """Closed testing: whatever every intersection that holds it rejects by Simes' test."""

    def simes(part):
        return any(q <= level * k / len(part) for k, q in enumerate(sorted(part), 1))

    parts = [s for k in range(1, len(p) + 1) for s in combinations(range(len(p)), k)]
    good = {s for s in parts if simes([p[i] for i in s])}
    return {i for i in range(len(p)) if all(s in good for s in parts if i in s)}


def test_hochberg_is_its_definition_between_holm_and_closed_testing():
    rng = np.random.default_rng(11)
    more, fewer = 0, 0
    for _ in range(300):
        p = [*rng.uniform(0, 1, rng.integers(1, 6)) ** 3]
        adjusted = hochberg(p)
        for level in (0.01, 0.05, 0.2, rng.uniform()):
            rejected = {i for i, a in enumerate(adjusted) if a <= level}
            assert step_down(p, level) <= rejected == step_up(p, level) <= closed(p, level)
            more += rejected != step_down(p, level)
            fewer += rejected != closed(p, level)
    assert more and fewer  # or the three would be one


def test_hochberg_agrees_with_a_hand_calculation_and_skips_missing_values():
    assert hochberg([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.04, 0.04])
    assert hochberg([0.9, 0.8]) == pytest.approx([0.9, 0.9])
    assert hochberg([]) == []


def test_interpolation_is_exact_on_a_power_law():
    flops = [1e12, 2e12, 4e12]
    values = [3.0 * f**-0.25 for f in flops]
    assert interpolate_log(flops, values, 3e12) == pytest.approx(3.0 * 3e12**-0.25, rel=1e-12)
    assert interpolate_log([4e12, 1e12, 2e12], [values[2], *values[:2]], 3e12) == pytest.approx(
        3.0 * 3e12**-0.25, rel=1e-12
    )


def test_interpolation_hits_the_ends_and_never_goes_beyond():
    flops, values = [1e12, 4e12], [2.0, 1.0]
    assert interpolate_log(flops, values, 1e12) == pytest.approx(2.0)
    assert interpolate_log(flops, values, 4e12 * (1 + 1e-12)) == pytest.approx(1.0)
    assert interpolate_log(flops, values, 4e12 * (1 + 1e-6)) is None
    assert interpolate_log(flops, values, 0.99e12) is None
    assert interpolate_log([1e12], [2.0], 1e12) == pytest.approx(2.0)
    assert interpolate_log([], [], 1e12) is None


def test_points_without_a_logarithm_are_left_out():
    flops, values = [0.0, 1e12, 2e12, 4e12], [9.0, 2.0, None, 1.0]
    assert interpolate_log(flops, values, 2e12) == pytest.approx(math.sqrt(2.0))
    assert interpolate_log([1e12, 4e12], [2.0, -1.0], 2e12) is None


def test_statistics_do_not_import_torch():
    code = "import sys, darbench.analysis.effects; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
