import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC

from darbench.data import load
from darbench.metrics.scores.patch_classifier import (
    FLAT,
    RIDGE,
    THRESHOLD,
    PatchClassifier,
    averages,
    fit,
)


@pytest.fixture(scope="module")
def data():
    return load("digits")


@pytest.fixture(scope="module")
def fitted(data):
    return fit(data.train_images, data.train_labels, data.classes)


def test_what_a_picture_has_of_each_filter_by_loops():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (4, 4, 2)).astype(np.uint8)
    mean, filters = rng.normal(size=18), rng.normal(size=(18, 3))
    padded, sums = np.pad(image, ((1, 1), (1, 1), (0, 0))) / 255, np.zeros((2, 3, 2, 2))
    for row in range(4):
        for column in range(4):
            patch = padded[row : row + 3, column : column + 3].transpose(2, 0, 1).ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + FLAT)
            found = (patch - mean) @ filters
            above = np.sign(found) * (abs(found) - THRESHOLD).clip(min=0)
            sums[:, :, row // 2, column // 2] += np.array([above, abs(above)]) / 4
    assert averages(image[None], mean, filters)[0] == pytest.approx(sums.ravel(), abs=1e-5)


def test_digits_are_told_apart_about_as_well_as_by_a_support_vector_machine(data, fitted):
    flat = [x.reshape(len(x), -1) for x in (data.train_images, data.val_images)]
    other = SVC().fit(flat[0], data.train_labels).score(flat[1], data.val_labels)
    own = (PatchClassifier.of(fitted)(data.val_images) == data.val_labels).mean()
    assert own == pytest.approx(other, abs=0.02) and own > 0.97


def test_the_linear_part_is_that_of_ridge_regression(data, fitted):
    mean, filters = (np.array(fitted[name]) for name in ("mean", "filters"))
    x, held_out = (averages(i, mean, filters) for i in (data.train_images, data.val_images))
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    ridge = RidgeClassifier(alpha=RIDGE * len(x)).fit((x - centre) / scale, data.train_labels)
    expected = ridge.predict((held_out - centre) / scale)
    assert (PatchClassifier.of(fitted)(data.val_images) == expected).mean() > 0.99


def test_a_fit_is_repeated_bit_for_bit_and_kept_as_json(data, fitted):
    again = fit(data.train_images, data.train_labels, data.classes)
    assert again == fitted == json.loads(json.dumps(fitted))


def test_threads_change_no_average(data, fitted):
    mean, filters = (np.array(fitted[name]) for name in ("mean", "filters"))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(averages(data.val_images, mean, filters))
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(*found)
