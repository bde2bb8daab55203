"""Screening: few grounds are chosen where nothing differs, and those with an effect are found."""

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.deviation import Deviation
from darbench.analysis.screening import moderated, resolved

VARIANTS, SEEDS = 9, 2


def ground(rng, deviation: float, effect: float = 0.0) -> list[dict[int, float]]:
    """Draws of variants that share their `add`, of which the first has an effect."""
    noise = rng.normal(size=(VARIANTS, SEEDS)) - rng.normal(size=SEEDS)
    draws = deviation * noise / np.sqrt(2) + effect * np.eye(VARIANTS, 1)
    return [dict(enumerate(own)) for own in draws]


def share(deviations: list[float], effect: float, times: int = 40) -> np.ndarray:
    """How often each ground is chosen; effects are in deviations."""
    rng = np.random.default_rng(0)
    made = [resolved([ground(rng, d, effect * d) for d in deviations]) for _ in range(times)]
    return np.mean(made, axis=0)


@pytest.mark.parametrize("deviations", [[0.01] * 12, [0.005, 0.01, 0.03] * 4])
def test_where_nothing_differs_few_grounds_are_chosen(deviations):
    assert share(deviations, 0.0).mean() < 0.05 and share(deviations, 0.0).max() < 0.2


def test_five_deviations_are_found_on_two_seeds_where_a_t_interval_misses_most():
    assert share([0.01] * 12, 5.0).mean() > 0.95
    rng = np.random.default_rng(0)
    first = [[*ground(rng, 1.0, 5.0)[0].values()] for _ in range(2000)]
    assert np.mean(stats.ttest_1samp(first, 0, axis=1).pvalue < 0.05) < 0.5


def test_the_noise_of_a_ground_counts_where_grounds_differ():
    found = share([0.005, 0.01, 0.03] * 4, 5.0)
    assert found.min() > 0.5 and found.mean() > 0.75


def test_more_seeds_see_more_and_one_seed_sees_nothing():
    rng = np.random.default_rng(1)
    two = [ground(rng, 0.01, 0.02) for _ in range(10)]
    ten = [
        [dict(enumerate(rng.normal(0.02 * (v == 0), 0.01, size=10))) for v in range(VARIANTS)]
        for _ in range(10)
    ]
    assert sum(resolved(ten)) == 10 > sum(resolved(two))
    assert resolved([[{0: 5.0}], [], *two])[:2] == [False, False]


def test_equal_draws_are_certain_and_none_at_all_are_no_difference():
    same, none = {0: 0.1, 1: 0.1}, {0: 0.0, 1: 0.0}
    assert resolved([[same]]) == [True] and resolved([[none]]) == [False]
    assert resolved([[same], [none]]) == [True, False]


def test_variances_of_one_scale_are_drawn_together_and_others_stay():
    """The prior has the scale and freedom that made the variances."""
    rng = np.random.default_rng(0)
    alike = np.sqrt(rng.chisquare(4, size=400) / 4)
    drawn = [d.value for d in moderated([Deviation(value=v, freedom=4) for v in alike])]
    assert np.std(drawn) < 0.1 and np.mean(drawn) == pytest.approx(1.0, abs=0.05)
    true = np.sqrt(6 / rng.chisquare(6, size=4000))
    seen = true * np.sqrt(rng.chisquare(4, size=4000) / 4)
    spread = moderated([Deviation(value=v, freedom=4) for v in seen])
    assert spread[0].freedom == pytest.approx(4 + 6, rel=0.15)
    square = (6 * 1.0 + 4 * seen[0] ** 2) / (6 + 4)
    assert spread[0].value ** 2 == pytest.approx(square, rel=0.1)
    assert moderated(spread[:1]) == spread[:1]
