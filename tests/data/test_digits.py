import numpy as np
import pytest
from sklearn.datasets import load_digits

from darbench.data import base, load
from darbench.data.pixels import Pixels


@pytest.fixture(scope="module")
def data():
    return load("digits")


def test_shapes_types_and_counts(data):
    assert data.train_images.shape == (1437, 8, 8, 1) and data.val_images.shape == (360, 8, 8, 1)
    assert data.train_images.dtype == data.val_images.dtype == np.uint8
    assert data.train_labels.dtype == data.val_labels.dtype == np.int64
    assert (data.name, data.classes, data.shape) == ("digits", 10, (1, 8, 8))
    assert (data.n_train, data.n_val) == (1437, 360)


def test_the_parts_are_all_of_scikit_learns_digits_each_image_once(data):
    source = load_digits()
    grey = np.rint(source.images * 255 / 16)
    wanted = sorted(
        (label, *image.ravel()) for image, label in zip(grey, source.target, strict=True)
    )
    images = np.concatenate([data.train_images, data.val_images])
    labels = np.concatenate([data.train_labels, data.val_labels])
    actual = sorted((label, *image.ravel()) for image, label in zip(images, labels, strict=True))
    assert actual == wanted


def test_both_parts_hold_every_class_in_like_shares(data):
    for labels in (data.train_labels, data.val_labels):
        shares = np.bincount(labels, minlength=10) / len(labels)
        assert shares.min() > 0.06 and shares.max() < 0.14


def test_the_split_is_the_same_every_time_and_has_a_known_fingerprint(data):
    assert load("digits").fingerprint == data.fingerprint == "56c081e226fb316e"


def test_the_fingerprint_sees_every_array(data):
    for name in ("train_images", "train_labels", "val_images", "val_labels"):
        fields = {k: getattr(data, k).copy() for k in data.__dataclass_fields__ if "_" in k}
        fields[name].flat[0] += 1
        changed = Pixels(name="digits", classes=10, **fields)
        assert changed.fingerprint != data.fingerprint, name


def test_pixels_survive_the_way_into_the_models_range_and_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = base.to_model_range(pixels)
    assert x.shape == (1, 1, 16, 16) and x.dtype == np.float32
    assert (x.min(), x.max()) == (-1, 1)
    assert np.array_equal(base.to_uint8(x), pixels)


def test_channels_move_to_the_front_and_back():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    x = base.to_model_range(pixels)
    assert x[1, 2, 0, 1] == pytest.approx(pixels[1, 0, 1, 2] / 127.5 - 1)
    assert np.array_equal(base.to_uint8(x), pixels)


def test_values_beyond_the_range_are_clipped():
    x = np.array([-7.0, -1.001, 1.001, 40.0], dtype=np.float32).reshape(1, 1, 2, 2)
    assert base.to_uint8(x).ravel().tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_picture(value):
    x = np.zeros((2, 1, 1, 3), dtype=np.float32)
    x[1, 0, 0, 2] = value
    with pytest.raises(FloatingPointError, match="not finite"):
        base.to_uint8(x)
