import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from darbench.metrics.scores import neighbours
from darbench.metrics.scores.kernel import _between, _own, kernel_distance


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


@pytest.mark.parametrize(("n", "m"), [(30, 30), (25, 40), (4, 5)])
def test_it_is_that_of_a_double_loop(n, m):
    one, two = samples(n, m, 5, 0.3)
    expected = by_a_double_loop(one, two)
    assert kernel_distance(one, two)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [4, 5, 9])
def test_the_quadratic_part_is_what_a_least_squares_fit_leaves(n):
    """The model is k(x_i, x_j) = a_i + a_j + rest over pairs of few samples, by numpy's solver."""
    x, y = samples(n, n + 2, 3, 0.3)
    one, two = np.triu_indices(n, 1)
    design = np.eye(n)[one] + np.eye(n)[two]
    values = np.array([kernel(x[i], x[j]) for i, j in zip(one, two, strict=True)])
    (left,) = np.linalg.lstsq(design, values)[1]
    spread = _own(x, np.zeros(n, int)).spread
    assert spread == pytest.approx(left / (len(values) - n), rel=1e-9)
    many = np.indices((n, n + 2)).reshape(2, -1)
    design = np.hstack([np.eye(n)[many[0]], np.eye(n + 2)[many[1]]])
    values = np.array([kernel(x[i], y[j]) for i, j in many.T])
    fitted = design @ np.linalg.lstsq(design, values)[0]
    spread = _between(x, y, np.zeros(n, int), np.zeros(n + 2, int)).spread
    rest = ((values - fitted) ** 2).sum() / ((n - 1) * (n + 1))
    assert spread == pytest.approx(rest, rel=1e-9)


def test_it_is_torch_fidelitys_with_one_subset_of_everything():
    one, two = samples(300, 300, 16, 0.2)
    theirs = kid_features_to_metric(
        torch.tensor(one), torch.tensor(two), kid_subsets=1, kid_subset_size=300, verbose=False
    )
    expected = theirs["kernel_inception_distance_mean"]
    assert kernel_distance(one, two)[0] == pytest.approx(expected, rel=1e-9)


def trials(n, m, d, shift, count):
    estimates = [kernel_distance(*samples(n, m, d, shift, seed)) for seed in range(count)]
    return np.array(estimates).T


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
        """Mean of k(x, y) for means a and b; x.y / d is a mean of d products (a + e)(b + f)."""
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
    monkeypatch.setattr(neighbours, "BLOCK_VALUES", 1000)
    assert kernel_distance(one, two) == pytest.approx(whole, rel=1e-9)


def test_samples_that_are_all_alike_have_the_error_of_the_other_set_only():
    one, two = np.ones((50, 4)), samples(2, 60, 4, 0.0)[1]
    kid, error = kernel_distance(one, two)
    assert kid == pytest.approx(by_a_double_loop(one, two), rel=1e-9)
    assert 0 < error < kid
    assert kernel_distance(one, one) == (0, 0)


CENTRES = 1.5 * np.random.default_rng(5).normal(size=(5, 8))  # of five labels


def labelled(n, rng, shift=0.0):
    """Samples whose labels go round, in whatever order, and the labels."""
    labels = rng.permutation(np.arange(n) % len(CENTRES))
    return CENTRES[labels] + rng.normal(shift, 1, size=(n, CENTRES.shape[1])), labels


def test_with_labels_it_is_that_of_a_loop_over_labels_weighted_by_their_shares():
    rng = np.random.default_rng(0)
    (one, a), (two, b) = labelled(23, rng), labelled(31, rng, 0.2)

    def mean_of(x, y, same):
        terms = [
            kernel(u, v) for i, u in enumerate(x) for j, v in enumerate(y) if i != j or not same
        ]
        return math.fsum(terms) / len(terms)

    def expected(x, y, of_x, of_y):
        return math.fsum(
            np.mean(of_x == c)
            * np.mean(of_y == d)
            * mean_of(x[of_x == c], y[of_y == d], x is y and c == d)
            for c in set(of_x)
            for d in set(of_y)
        )

    xx, yy, xy = expected(one, one, a, a), expected(two, two, b, b), expected(one, two, a, b)
    assert kernel_distance(one, two, a, b)[0] == pytest.approx(xx + yy - 2 * xy, rel=1e-9)
    n = len(two)  # now drawn
    plain = math.fsum(kernel(two[i], two[j]) for i in range(n) for j in range(n) if i != j)
    mixed = xx + plain / (n * (n - 1)) - 2 * xy
    assert kernel_distance(one, two, a)[0] == pytest.approx(mixed, rel=1e-9)


@pytest.mark.parametrize(("shift", "of_real"), [(0.0, True), (0.0, False), (0.15, True)])
def test_with_set_labels_it_is_unbiased_and_its_error_is_its_scatter(shift, of_real):
    """The truth comes from drawn labels, whose plain estimate is unbiased by definition."""
    rng = np.random.default_rng(11)
    kids, errors, truth = [], [], []
    for _ in range(200):
        (one, a), (two, b) = labelled(100, rng), labelled(150, rng, shift)
        if not of_real:
            two = CENTRES[rng.integers(5, size=150)] + rng.normal(shift, 1, size=two.shape)
        kid, error = kernel_distance(one, two, a, b if of_real else None)
        kids.append(kid)
        errors.append(error)
        truth.append(0.0)
        if shift:
            drawn = [
                CENTRES[rng.integers(5, size=400)] + rng.normal(s, 1, size=(400, 8))
                for s in (0, shift)
            ]
            truth[-1] = kernel_distance(*drawn)[0]
    error_of_mean = math.hypot(np.std(kids), np.std(truth)) / math.sqrt(200)
    assert abs(np.mean(kids) - np.mean(truth)) < 2.5 * error_of_mean
    assert 0.85 < np.mean(errors) / np.std(kids) < 1.35
    inside = np.abs(np.array(kids) - np.mean(truth)) <= 2 * np.array(errors)
    assert inside.mean() >= 0.93


def test_without_their_labels_it_would_be_too_low():
    rng = np.random.default_rng(3)
    plain = [kernel_distance(labelled(100, rng)[0], labelled(100, rng)[0])[0] for _ in range(100)]
    assert np.mean(plain) < -5 * np.std(plain) / math.sqrt(100)


def test_one_label_is_none_and_too_few_of_a_label_have_no_value():
    one, two = samples(40, 30, 5, 0.3)
    assert kernel_distance(one, two, np.full(40, 7), np.zeros(30)) == kernel_distance(one, two)
    few = np.r_[np.zeros(37, int), np.ones(3, int)]
    assert all(math.isnan(v) for v in kernel_distance(one, two, few))
    assert all(math.isnan(v) for v in kernel_distance(two, one, None, few))


def test_blocks_change_nothing_with_labels_either(monkeypatch):
    rng = np.random.default_rng(0)
    (one, a), (two, b) = labelled(90, rng), labelled(70, rng)
    whole = kernel_distance(one, two, a, b)
    monkeypatch.setattr(neighbours, "BLOCK_VALUES", 1000)
    assert kernel_distance(one, two, a, b) == pytest.approx(whole, rel=1e-9)
