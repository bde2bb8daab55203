from dataclasses import replace

import numpy as np
import pytest

from darbench.data import load
from darbench.metrics.scores import class_accuracy as module
from darbench.metrics.scores.class_accuracy import class_accuracy
from darbench.randomness import stream


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The digits, whose classifier nothing has kept yet."""
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_JUDGES", {})
    return load("digits")


def test_pictures_of_their_class_are_right_and_those_of_another_are_wrong(data):
    told = class_accuracy(data, data.val_images, data.val_labels)
    assert told["class_accuracy"] == told["val_class_accuracy"] > 0.97
    ignored = class_accuracy(data, data.val_images, (data.val_labels + 1) % 10)
    assert ignored["class_accuracy"] < 0.02
    assert ignored["val_class_accuracy"] == told["val_class_accuracy"]


def test_the_classifier_is_fitted_once_on_a_machine(data, monkeypatch):
    first = class_accuracy(data, data.val_images[:50], data.val_labels[:50])
    monkeypatch.setattr(module, "fit", None)
    assert class_accuracy(data, data.val_images[:50], data.val_labels[:50]) == first
    monkeypatch.setattr(module, "_JUDGES", {})  # another process
    assert class_accuracy(data, data.val_images[:50], data.val_labels[:50]) == first


def test_of_endless_images_a_fixed_sample_is_learnt():
    few, many = module._sample(1437), module._sample(2**31)
    assert np.array_equal(few, np.arange(1437))
    assert np.array_equal(many, module._sample(2**31)) and 4000 < len(many) <= 4096
    assert many.max() > 2**30 and np.bincount(many % 10).min() > 350
    assert many[0] == stream(0, "class-accuracy").integers(2**31, size=4096).min()


def test_too_many_classes_have_none(data):
    assert class_accuracy(replace(data, classes=101), data.val_images, data.val_labels) == {}
