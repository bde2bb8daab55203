import math
import tracemalloc

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from darbench.metrics.scores import neighbours
from darbench.metrics.scores.neighbours import (
    block_bytes,
    nearest_distances,
    precision_recall,
    radii,
)


def share_inside(points, centres, k=3):
    """Share of points within the k-th neighbour distance of some centre, one pair at a time."""
    inside = 0
    radii = [sorted(math.dist(a, b) for b in centres)[k] for a in centres]
    for point in points:
        pairs = zip(centres, radii, strict=True)
        inside += any(math.dist(point, centre) <= radius for centre, radius in pairs)
    return inside / len(points)


def measured(generated, real):
    return precision_recall(generated, real, radii(real))


def images(n, seed, shape=(4, 4, 3)):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)
    return pixels.reshape(n, -1)


@pytest.mark.parametrize("values", [neighbours.BLOCK_VALUES, 500])
def test_precision_and_recall_are_those_of_brute_force(monkeypatch, values):
    monkeypatch.setattr(neighbours, "BLOCK_VALUES", values)
    rng = np.random.default_rng(0)
    one, two = rng.normal(0.8, 1.3, size=(80, 5)), rng.normal(size=(100, 5))
    precision, recall = measured(torch.tensor(one), torch.tensor(two))
    assert precision == pytest.approx(share_inside(one.tolist(), two.tolist()), abs=1e-6)
    assert recall == pytest.approx(share_inside(two.tolist(), one.tolist()), abs=1e-6)
    assert 0 < precision < 1 and 0 < recall < 1


def features(n, seed, shift, step):
    """Features (n, 64); with a step they lie on a lattice, where many distances are equal."""
    drawn = np.random.default_rng(seed).normal(shift, 1, size=(n, 64))
    return torch.tensor(drawn if step is None else np.round(drawn / step) * step)


@pytest.mark.parametrize("step", [None, 0.5, 4.0])
@pytest.mark.parametrize(("n", "m"), [(1437, 1437), (300, 900), (64, 70)])
def test_precision_and_recall_are_those_of_torch_fidelity(n, m, step):
    one, two = features(n, 0, 0.1, step), features(m, 1, 0.0, step)
    two[:9], one[:20] = two[0], two[11]  # equal images, also of the other set
    theirs = prc_features_to_metric(
        one, two, prc_neighborhood=3, prc_batch_size=10_000, save_cpu_ram=True, verbose=False
    )
    assert measured(one, two) == (theirs["precision"], theirs["recall"])


@pytest.mark.parametrize("side", [neighbours.SIDE, 7])
def test_nearest_distances_are_exact_in_any_block(monkeypatch, side):
    monkeypatch.setattr(neighbours, "SIDE", side)
    one, two = images(20, 0), images(30, 1)
    expected = [min(math.dist(a, b) for b in two.tolist()) / 255 for a in one.tolist()]
    assert nearest_distances(one, two).tolist() == pytest.approx(expected, rel=1e-15)
    assert nearest_distances(two[:9], two).tolist() == [0] * 9


def test_a_pixel_off_by_one_is_seen_in_large_images():
    one = np.full((1, 3 * 64 * 64), 255, np.uint8)
    two = one.copy()
    two[0, 0] = 254
    assert nearest_distances(one, two) == [1 / 255]


def peak(one, two):
    tracemalloc.start()
    nearest_distances(one, two)
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest


def test_memory_is_that_of_one_block_whatever_the_number_of_images(monkeypatch):
    monkeypatch.setattr(neighbours, "SIDE", 64)
    assert peak(images(6000, 0), images(6000, 1)) < 1_000_000  # all distances would be 288 MB


def test_blocks_of_large_images_have_fewer_of_them(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_VALUES", 2**16)  # 42 images of 12,288 pixels
    one, two = images(90, 0, (64, 64, 3)), images(90, 1, (64, 64, 3))
    assert peak(one, two) < 4 * 8 * 8 * 2**16 < 8 * one.size * 2
    assert nearest_distances(one, two[:50])[3] == pytest.approx(
        min(math.dist(one[3], b) for b in two[:50].tolist()) / 255
    )


@pytest.mark.parametrize(("queries", "others"), [(90, 90), (10, 40), (40, 10), (300, 300)])
def test_memory_of_a_block_is_foretold(monkeypatch, queries, others):
    monkeypatch.setattr(neighbours, "SIDE", 100)
    large = images(queries, 0, (64, 64, 3)), images(others, 1, (64, 64, 3))
    foretold = block_bytes(queries, others, 64 * 64 * 3)
    assert foretold < peak(*large) < 1.5 * foretold
