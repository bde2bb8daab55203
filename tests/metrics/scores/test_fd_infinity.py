import math

import numpy as np
import pytest
import scipy.linalg

from darbench.metrics.scores import fd_infinity as module
from darbench.metrics.scores.fd_infinity import fd_infinity, influence
from darbench.metrics.scores.strata import shuffled
from darbench.randomness import stream


def gaussian(d, seed, spread=1.0):
    """A mean and a covariance whose eigenvalues fall like 1 / rank."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return rng.normal(size=d), (basis * (spread / np.arange(1, d + 1))) @ basis.T


def distance(mean, covariance, real):
    """The definition, with scipy's root of the product."""
    between = np.trace(scipy.linalg.sqrtm(covariance @ real["sigma"])).real
    difference = mean - real["mu"]
    return difference @ difference + np.trace(covariance + real["sigma"]) - 2 * between


def plug_in(x, real):
    return distance(x.mean(axis=0), np.cov(x, rowvar=False), real)


def trials(d, n, count, *, shift, turned=True, seed=0):
    """Errors of FD-infinity and their standard errors, over seeded samples of one Gaussian."""
    mean, sigma = gaussian(d, 0)
    real = {"mu": mean, "sigma": sigma}
    other = gaussian(d, 1, spread=1.2)[1] if turned else sigma
    truth = distance(mean + shift, other, real)
    root = np.linalg.cholesky(other)
    rng = np.random.default_rng(seed)
    draws = (mean + shift + rng.normal(size=(n, d)) @ root.T for _ in range(count))
    estimates = np.array([fd_infinity(x, real) for x in draws])
    return estimates[:, 0] - truth, estimates[:, 1]


# From the same distribution to a far one, and at the least n that has a value.
SETTINGS = [
    {"d": 16, "n": 1000, "shift": 0.0, "turned": False},
    {"d": 16, "n": 1000, "shift": 0.05},
    {"d": 24, "n": 400, "shift": 0.3},
    {"d": 32, "n": 256, "shift": 0.0, "turned": False},
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_analytic_value_lies_within_two_standard_errors_in_93_of_100_trials(setting):
    errors, standard = trials(count=200, **setting)
    assert (np.abs(errors) <= 2 * standard).mean() >= 0.93
    assert abs(errors.mean()) < 0.3 * standard.mean()
    assert 0.75 < errors.std() / standard.mean() < 1.15


@pytest.mark.slow
@pytest.mark.parametrize(("d", "n"), [(64, 1437), (64, 512), (8, 200)])
@pytest.mark.parametrize("shift", [0.0, 0.05, 0.5])
def test_it_does_so_at_other_sizes_and_distances(d, n, shift):
    errors, standard = trials(d, n, 400, shift=shift, turned=shift > 0, seed=1)
    assert (np.abs(errors) <= 2 * standard).mean() >= 0.93
    assert abs(errors.mean()) < 0.3 * standard.mean()


def test_a_line_through_the_same_subsets_would_be_biased():
    """The 1/n^2 term is taken out too, for a line through two sizes comes out too low."""
    real = {"mu": np.zeros(32), "sigma": np.eye(32)}
    rng = np.random.default_rng(0)
    lines, errors = [], []
    for _ in range(40):
        x = rng.normal(size=(256, 32))
        lines.append(2 * plug_in(x, real) - (plug_in(x[:128], real) + plug_in(x[128:], real)) / 2)
        errors.append(fd_infinity(x, real)[1])
    assert np.mean(lines) < -0.25 * np.mean(errors)


def test_it_is_the_weighted_sum_of_distances_of_disjoint_subsets(monkeypatch):
    monkeypatch.setattr(module, "SHUFFLES", 2)
    mean, sigma = gaussian(4, 0)
    real = {"mu": mean, "sigma": sigma}
    x = np.random.default_rng(0).normal(size=(101, 4))
    values = []
    for shuffle in range(2):
        ordered = x[shuffled(np.zeros(101, int), stream(0, "fd-infinity", shuffle))]
        assert np.array_equal(np.sort(ordered, axis=0), np.sort(x, axis=0))
        half, quarter = (
            np.mean([plug_in(part, real) for part in np.array_split(ordered, parts)])
            for parts in (2, 4)
        )
        values.append(8 / 3 * plug_in(x, real) - 2 * half + quarter / 3)
    assert fd_infinity(x, real)[0] == pytest.approx(np.mean(values), rel=1e-9)


def test_influence_is_the_derivative_towards_one_sample():
    mean, sigma = gaussian(5, 0)
    real = {"mu": mean, "sigma": sigma}
    x = np.random.default_rng(0).normal(size=(1000, 5))

    def moved(i, step):
        weights = np.full(1000, (1 - step) / 1000)
        weights[i] += step
        return distance(weights @ x, np.cov(x, rowvar=False, aweights=weights, ddof=0), real)

    slopes = [(moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5 for i in range(100)]
    pulls = influence(x, real)
    assert (pulls - pulls.mean())[:100] == pytest.approx(slopes, rel=0.01, abs=0.01)


def test_labels_that_were_set_are_set_in_every_subset():
    strata = np.arange(1437) % 10
    order = shuffled(strata, np.random.default_rng(0))
    assert np.array_equal(np.sort(order), np.arange(1437))
    for part in np.array_split(strata[order], 4):
        counts = np.bincount(part, minlength=10)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(order, shuffled(strata, np.random.default_rng(1)))


def test_set_labels_bias_neither_the_value_nor_its_error():
    """Ten far classes with equal shares; ignoring them would be 5 or more errors off."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(10, 8))
    real = {
        "mu": centres.mean(axis=0),
        "sigma": np.cov(centres, rowvar=False, bias=True) + np.eye(8),
    }
    labels = np.arange(400) % 10
    draws = [centres[labels] + rng.normal(size=(400, 8)) for _ in range(200)]
    errors, standard = np.array([fd_infinity(x, real, labels) for x in draws]).T
    assert (np.abs(errors) <= 2 * standard).mean() >= 0.93
    assert abs(errors.mean()) < 0.3 * standard.mean()
    blind = np.array([fd_infinity(x, real) for x in draws[:60]])[:, 0]
    assert abs(blind.mean()) > 2 * abs(errors.mean())


def test_there_is_no_value_below_eight_samples_a_feature():
    mean, sigma = gaussian(8, 0)
    x = np.random.default_rng(0).normal(size=(64, 8))
    real = {"mu": mean, "sigma": sigma}
    assert all(map(math.isfinite, fd_infinity(x, real)))
    assert all(map(math.isnan, fd_infinity(x[:63], real)))


def test_samples_that_are_all_alike_have_no_error_and_their_own_distance():
    mean, sigma = gaussian(8, 0)
    value, error = fd_infinity(np.ones((100, 8)), {"mu": mean, "sigma": sigma})
    assert value == pytest.approx(((1 - mean) ** 2).sum() + np.trace(sigma), rel=1e-6)
    assert error < 1e-6


def test_samples_that_are_the_reference_have_an_error_all_the_same():
    x = np.random.default_rng(0).normal(size=(400, 8))
    value, error = fd_infinity(x, {"mu": x.mean(axis=0), "sigma": np.cov(x, rowvar=False)})
    assert value < 0 < error
