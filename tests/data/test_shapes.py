import numpy as np
import pytest
import torch

from darbench.data import load, shapes


@pytest.fixture(scope="module")
def data():
    return load("shapes")


def area(label: int, size: float) -> float:
    """The area of a shape, by a fine grid of its own."""
    step = np.arange(-1.5, 1.5, 0.005) + 0.0025
    x, y = np.meshgrid(step, step)
    return list(shapes.CLASSES.values())[label](x, y).mean() * 9 * size**2


def test_an_image_is_the_same_bits_in_any_batch_and_order():
    numbers = np.array([7, 2**31 + 5, 0, 123_456_789, 7])
    whole = shapes.draw(numbers)
    assert whole.shape == (5, 16, 16, 3) and whole.dtype == np.uint8
    for row, number in enumerate(numbers):
        assert np.array_equal(shapes.draw(numbers[row : row + 1])[0], whole[row]), number
    assert np.array_equal(shapes.draw(numbers[::-1]), whole[::-1])
    assert len(np.unique(shapes.draw(np.arange(300)).reshape(300, -1), axis=0)) == 300


def test_the_drawing_is_that_of_this_version(data):
    """If this fails, results on shapes of earlier versions are others."""
    assert data.fingerprint == "63fb630f0f78d3c0"


def test_labels_are_balanced_and_the_parts_disjoint(data):
    x, label = data.train(0, range(1000))
    assert x.shape == (1000, 3, 16, 16) and x.dtype == torch.float32 and x.is_contiguous()
    assert label.dtype == torch.int64 and torch.bincount(label).tolist() == [100] * 10
    held, _ = data.val(np.arange(data.n_val))
    assert np.array_equal(data.decode(held), data.val_images)
    assert data.order(0, range(1000)).max() < data.n_train == 2**31
    assert data.reference_images.shape == (2048, 16, 16, 3)


def test_a_run_goes_through_the_images_one_by_one_and_never_stores_an_order(data):
    order = data.order(3, range(5, 500))
    assert np.array_equal(np.diff(order), np.ones(494))
    assert np.array_equal(order[100:110], data.order(3, range(105, 115)))
    assert data.order(4, range(1)) != data.order(3, range(1))
    last = data.n_train - 1 - data.order(3, range(1))[0]
    assert data.order(3, range(last, last + 2)).tolist() == [2**31 - 1, 0]


@pytest.mark.parametrize("label", range(10), ids=list(shapes.CLASSES))
def test_a_shape_covers_its_area_at_any_place_size_and_turn(label):
    """The sum of what its pixels show, against the area of the definition."""
    numbers = label + 10 * np.arange(20)
    u = np.stack([shapes.stream(0, "shapes", i).random(4) for i in numbers])
    x, y = shapes._own_coordinates(u.astype(np.float32))
    inside = list(shapes.CLASSES.values())[label](x, y)
    covered = shapes._covered(inside, 16).sum(axis=(1, 2, 3)) / (64 * 64) * 4
    wanted = np.array([area(label, size) for size in 0.35 + 0.3 * u[:, 0]])
    assert np.abs(covered / wanted - 1).max() < 0.06


def test_colours_are_mixed_by_the_points_they_cover():
    one, two = np.full((1, 16, 16, 1), 4), np.full((1, 16, 16, 1), 8)
    ground, halves = np.array([[0, 16, 3]]), np.array([[[200, 100, 7], [100, 255, 9]]])
    mixed = shapes._mixed(one, two, ground, halves, whole=16)
    wanted = (4 * halves[0, 0] + 8 * halves[0, 1] + 4 * ground[0]) / 16
    assert np.array_equal(mixed[0, 3, 5], np.floor(wanted + 0.5))


@pytest.mark.parametrize("side", [8, 32])
def test_at_every_side_an_image_shows_the_same(side):
    """A coarser picture is the mean of the finer one's pixels, each of which was rounded once."""
    numbers = 2**31 + np.arange(60)
    fine, coarse = (shapes.draw(numbers, s) for s in (max(side, 16), min(side, 16)))
    k = fine.shape[1] // coarse.shape[1]
    means = fine.reshape(60, coarse.shape[1], k, coarse.shape[1], k, 3).mean(axis=(2, 4))
    assert np.abs(coarse - means).max() <= 1
    data = load(f"shapes-{side}")
    assert data.shape == (3, side, side) and data.val_images.shape == (512, side, side, 3)
    assert np.array_equal(data.train(0, range(9))[1], load("shapes").train(0, range(9))[1])
    assert np.array_equal(data.decode(data.val(np.arange(5))[0]), data.val_images[:5])
