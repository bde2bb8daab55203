from importlib.metadata import distribution

import numpy as np
import pytest
import torch
from PIL import Image

from darbench.data import load, photos


@pytest.fixture(scope="module")
def data():
    return load("photos")


@pytest.fixture(scope="module")
def learnt():
    return [photos.photograph(*at) for at in photos.LEARNT.values()]


@pytest.fixture(scope="module")
def places(learnt):
    """Where the crops to train on and those held out lie."""
    held = photos.random_places(learnt, photos.N_VAL, "held out")
    return photos.disjoint(photos.grid(learnt), held), held


def test_the_photographs_are_as_their_packages_ship_them(learnt):
    sizes = [(512, 512, 3), (300, 451, 3), (400, 600, 3), (500, 741, 3), (427, 640, 3)]
    assert [each.shape for each in learnt] == sizes
    for (package, path), image in zip(photos.LEARNT.values(), learnt, strict=True):
        stored = Image.open(distribution(package).locate_file(path)).convert("RGB")
        assert np.array_equal(image, np.asarray(stored))


def test_the_crops_are_those_of_this_version(data):
    """If this fails, results on the photographs of earlier versions are others."""
    fingerprints = [load(name).fingerprint for name in ("photos-8", "photos", "photos-32")]
    assert fingerprints == ["da680c72f0fcc8b2", "c1aecaba974af714", "6eedafa75810adb0"]


def test_no_pixel_is_both_learnt_and_held_out(learnt, places):
    """By painting every held-out crop, and looking for paint in every crop to train on."""
    train, held = places
    painted = [np.zeros(each.shape[:2], bool) for each in learnt]
    for which, top, left in held:
        painted[which][top : top + 32, left : left + 32] = True

    def touched(which, top, left):
        return painted[which][top : top + 32, left : left + 32].any()

    assert not any(touched(*place) for place in train)
    kept = set(map(tuple, train))
    dropped = [place for place in photos.grid(learnt) if tuple(place) not in kept]
    assert len(dropped) > 1000 and all(touched(*place) for place in dropped)


def test_crops_are_held_out_at_any_pixel_of_any_photograph_alike(learnt):
    held = photos.random_places(learnt, 20_000, "test")
    room = np.array([(h - 31) * (w - 31) for h, w, _ in (each.shape for each in learnt)])
    shares = np.bincount(held[:, 0], minlength=len(learnt)) / len(held)
    assert np.abs(shares - room / room.sum()).max() < 0.015
    for which, each in enumerate(learnt):
        tops, lefts = held[held[:, 0] == which, 1:].T
        for found, n in ((tops, each.shape[0] - 31), (lefts, each.shape[1] - 31)):
            assert 0 <= found.min() < 0.01 * n and 0.99 * n < found.max() < n
            assert abs(found.mean() / n - 0.5) < 0.02


@pytest.mark.parametrize("side", [8, 16, 32])
def test_a_picture_is_the_mean_of_blocks_of_its_place(side, learnt, places):
    name, k = "photos" if side == 16 else f"photos-{side}", 32 // side
    data, train = load(name), places[0]
    assert (data.name, data.shape) == (name, (3, side, side))
    for i in (0, 4000, len(train) - 1):
        which, top, left = train[i]
        crop = learnt[which][top : top + 32, left : left + 32].astype(float)
        means = crop.reshape(side, k, side, k, 3).mean(axis=(1, 3))
        assert np.array_equal(data.train_images[i], np.floor(means + 0.5))
        assert data.train_labels[i] == which


def test_references_are_equally_many_of_each_photograph(data):
    assert np.bincount(data.reference_labels).tolist() == [587] * 5
    assert len(np.unique(data.references)) == len(data.references) == data.n_references
    assert np.array_equal(data.reference_images[7], data.train_images[data.references[7]])


def test_what_is_apart_is_of_other_photographs_and_has_no_label(data):
    x, label = data.apart()
    assert x.shape == (256, 3, 16, 16) and label.tolist() == [data.classes] * 256
    assert label.dtype == data.items(np.arange(1))[1].dtype == torch.int64
    assert np.array_equal(data.decode(x), data.apart_images)
    assert not photos.APART.keys() & photos.LEARNT.keys()
    known = {image.tobytes() for image in data.train_images}
    assert np.mean([image.tobytes() in known for image in data.apart_images]) < 0.01
    assert load("digits").apart() is None


def test_the_fingerprint_sees_what_is_apart_and_the_references(data):
    fields = {k: getattr(data, k) for k in data.__dataclass_fields__}
    for name in ("apart_images", "references", "val_images"):
        changed = fields[name].copy()
        changed.flat[0] += 1
        assert photos.Photos(**fields | {name: changed}).fingerprint != data.fingerprint, name
