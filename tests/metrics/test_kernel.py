import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from darbench.metrics import blocks
from darbench.metrics.kernel import kernel_distance


def kernel(a, b):
    return (sum(float(u) * float(v) for u, v in zip(a, b, strict=True)) / len(a) + 1) ** 3


def by_a_double_loop(one, two):
    """Unbiased MMD^2, pair by pair."""
    n, m = len(one), len(two)
    xx = math.fsum(kernel(one[i], one[j]) for i in range(n) for j in range(n) if i != j)
    yy = math.fsum(kernel(two[i], two[j]) for i in range(m) for j in range(m) if i != j)
    xy = math.fsum(kernel(a, b) for a in one for b in two)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def samples(n, m, d, shift, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(shift, 1, size=(m, d))


@pytest.mark.parametrize(("n", "m"), [(30, 30), (25, 40), (2, 3)])
def test_it_is_that_of_a_double_loop(n, m):
    one, two = samples(n, m, 5, 0.3)
    expected = by_a_double_loop(one, two)
    assert kernel_distance(one, two)[0] == pytest.approx(expected, rel=1e-9)


def test_it_is_torch_fidelitys_with_one_subset_of_everything():
    one, two = samples(300, 300, 16, 0.2)
    theirs = kid_features_to_metric(
        torch.tensor(one), torch.tensor(two), kid_subsets=1, kid_subset_size=300, verbose=False
    )
    expected = theirs["kernel_inception_distance_mean"]
    assert kernel_distance(one, two)[0] == pytest.approx(expected, rel=1e-9)


def trials(n, m, d, shift, count):
    found = [kernel_distance(*samples(n, m, d, shift, seed)) for seed in range(count)]
    return np.array(found).T


def test_over_200_trials_of_equal_distributions_it_is_unbiased_and_its_error_honest():
    kids, errors = trials(150, 150, 8, 0.0, 200)
    assert abs(kids.mean()) < 2.5 * kids.std() / math.sqrt(200)
    assert (kids < 0).mean() > 0.3  # nothing is clipped
    assert 1 <= errors.mean() / kids.std() < 1.3
    assert (np.abs(kids) <= 2 * errors).mean() >= 0.93


@pytest.mark.parametrize(("n", "m", "shift"), [(120, 120, 0.3), (80, 240, 0.3), (150, 150, 0.1)])
def test_its_error_is_its_scatter_at_a_distance_too(n, m, shift):
    """The truth in closed form: E (u/d + 1)^3, by moments of x.y for independent Gaussians."""
    d = 6
    kids, errors = trials(n, m, d, shift, 200)

    def expected(a, b):
        """Of k(x, y) with all means a and b: x.y / d is a mean of d products (a + e)(b + f)."""
        mean = a * b
        var, third = 1 + a * a + b * b, 6 * a * b  # central moments of one product
        first, second = mean, var / d + mean**2
        cube = third / d**2 + 3 * mean * var / d + mean**3
        return cube + 3 * second + 3 * first + 1

    truth = expected(0, 0) + expected(shift, shift) - 2 * expected(0, shift)
    assert abs(kids.mean() - truth) < 3 * kids.std() / math.sqrt(200)
    assert errors.mean() == pytest.approx(kids.std(), rel=0.2)


def test_blocks_change_nothing_but_memory(monkeypatch):
    one, two = samples(90, 70, 5, 0.3)
    whole = kernel_distance(one, two)
    monkeypatch.setattr(blocks, "VALUES", 1000)
    assert kernel_distance(one, two) == pytest.approx(whole, rel=1e-9)


def test_samples_that_are_all_alike_have_the_error_of_the_other_set_only():
    one, two = np.ones((50, 4)), samples(2, 60, 4, 0.0)[1]
    kid, error = kernel_distance(one, two)
    assert kid == pytest.approx(by_a_double_loop(one, two), rel=1e-9)
    assert 0 < error < kid
    assert kernel_distance(one, one) == (0, 0)
