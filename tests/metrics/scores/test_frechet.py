import math

import numpy as np
import pytest
import scipy.linalg

from darbench.metrics.scores.frechet import frechet_distance
from darbench.metrics.scores.score import score
from tests.metrics.scores.pictures import features_of, frechet_by_sqrtm, noisy


@pytest.mark.parametrize("sigma", [0, 20, 80])
def test_frechet_distance_is_its_definition(data, real, sigma):
    images = noisy(data.val_images, sigma)
    expected = frechet_by_sqrtm(features_of(images), features_of(data.train_images))
    assert score(images, real)["fd"] == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_agrees_with_scipys_matrix_root(data, real):
    one, two = features_of(data.val_images), features_of(data.train_images)
    s1, s2 = (np.cov(x.numpy(), rowvar=False) for x in (one, two))
    difference = (one.mean(0) - two.mean(0)).numpy()
    trace = np.trace(s1 + s2 - 2 * np.real(scipy.linalg.sqrtm(s1 @ s2)))
    expected = difference @ difference + trace
    assert score(data.val_images, real)["fd"] == pytest.approx(expected, rel=1e-6)


def test_the_reference_is_at_distance_zero_of_itself(data, real):
    scores = score(data.train_images, real)
    assert 0 <= scores["fd"] < 1e-6
    assert (scores["precision"], scores["recall"], scores["nn_distance_ratio"]) == (1, 1, 0)


def test_frechet_distance_grows_with_noise(data, real):
    distances = [score(noisy(data.val_images, sigma), real)["fd"] for sigma in (0, 15, 30, 60)]
    assert distances == sorted(distances) and distances[-1] > 5 * distances[0]


def test_a_distance_that_is_no_number_is_not_taken_for_0(real):
    broken = {**real.statistics, "mu": np.full_like(real.statistics["mu"], np.nan)}
    assert math.isnan(frechet_distance(broken, real.statistics))
