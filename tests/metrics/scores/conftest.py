"""Digits, and the reference that samples of them are measured against."""

import pytest

from darbench.data import load
from darbench.metrics.scores.reference import reference


@pytest.fixture(scope="module")
def data():
    return load("digits")


@pytest.fixture(scope="module")
def real(data):
    return reference("digits-cnn", data.train_images, data.val_images)
