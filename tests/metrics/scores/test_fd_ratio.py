import math

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.data.shapes import draw as draw_shapes
from darbench.metrics.scores import fd_ratio as module
from darbench.metrics.scores.fd_ratio import HeldOut, Ratio, fd_ratio, mean_ratio
from darbench.metrics.scores.reference import reference
from darbench.metrics.scores.score import score
from tests.metrics.scores.pictures import frechet_by_sqrtm, noisy

CLASSES, WIDTH = 6, 12
CENTRES = np.random.default_rng(1).normal(0, 2, (CLASSES, WIDTH))


def normal(rng, n, *, labels):
    """Samples of a mixture, whose labels are set or drawn."""
    y = np.arange(n) % CLASSES if labels == "set" else rng.integers(CLASSES, size=n)
    return CENTRES[y] + rng.normal(size=(n, WIDTH)), y


def moments(x):
    return {"mu": x.mean(axis=0), "sigma": np.cov(x, rowvar=False)}


def fd(one, two):
    return frechet_by_sqrtm(torch.from_numpy(one), torch.from_numpy(two))


def test_it_is_a_ratio_of_two_frechet_distances():
    rng = np.random.default_rng(0)
    samples, fresh, train = (rng.normal(size=(n, 5)) * s for n, s in ((80, 2), (80, 1), (300, 1)))
    held_out = HeldOut(features=fresh, labels=None, real=moments(train))
    ratio = fd_ratio(samples, None, held_out)
    assert ratio.value == pytest.approx(fd(samples, train) / fd(fresh, train), rel=1e-9)
    assert ratio.images == 80


@pytest.mark.parametrize("larger", ["samples", "held out"])
def test_the_larger_set_counts_by_disjoint_subsets_with_the_labels_of_the_other(larger):
    """Of labels that a subset holds once, there are three copies of one image each."""
    rng = np.random.default_rng(0)
    few, many, train = (rng.normal(size=(n, 3)) * s for n, s in ((40, 2), (40, 1), (300, 1)))
    own, copies = np.arange(40), rng.permutation(np.tile(np.arange(40), 3))
    thrice, real = many[copies], moments(train)
    if larger == "samples":
        ratio = fd_ratio(thrice, copies, HeldOut(features=few, labels=own, real=real))
        expected = fd(many, train) / fd(few, train)
    else:
        ratio = fd_ratio(few, own, HeldOut(features=thrice, labels=copies, real=real))
        expected = fd(few, train) / fd(many, train)
    assert ratio.value == pytest.approx(expected, rel=1e-9) and ratio.images == 40


def test_of_each_label_both_distances_are_of_as_many_images_as_both_sets_have():
    rng = np.random.default_rng(0)
    held_out = HeldOut(
        features=rng.normal(size=(50, 3)),
        labels=np.repeat([0, 1], [40, 10]),
        real=moments(rng.normal(size=(90, 3))),
    )
    assert fd_ratio(rng.normal(size=(40, 3)), np.arange(40) % 2, held_out).images == 20 + 10
    assert fd_ratio(rng.normal(size=(40, 3)), np.full(40, 2), held_out).images == 0
    assert fd_ratio(rng.normal(size=(40, 3)), None, held_out).images == 40


@pytest.mark.parametrize("labels", ["set", "drawn"])
def test_fresh_samples_of_the_data_have_1_within_the_standard_error(labels):
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        train, _ = normal(rng, 900, labels="set")
        fresh, own = normal(rng, 240, labels=labels)
        samples, made_for = normal(rng, 900, labels="set")
        held_out = HeldOut(features=fresh, labels=own, real=moments(train))
        found.append(fd_ratio(samples, made_for, held_out))
    values, errors = (np.array([getattr(r, f) for r in found]) for f in ("value", "error"))
    assert abs(values.mean() - 1) < 3 * values.std() / math.sqrt(60)
    assert 0.7 < ((values - 1) / errors).std() < 1.1


def test_copies_of_training_images_have_less_for_they_share_images_with_the_reference():
    rng, n, m = np.random.default_rng(0), 900, 300
    values = []
    for _ in range(60):
        train, fresh = rng.normal(size=(n, WIDTH)), rng.normal(size=(m, WIDTH))
        held_out = HeldOut(features=fresh, labels=None, real=moments(train))
        values.append(fd_ratio(train, None, held_out).value)
    expected, error = (n - m) / (n + m), np.std(values) / math.sqrt(60)
    assert abs(np.mean(values) - expected) < 3 * error and error < 0.02


def test_fewer_images_than_features_or_copies_held_out_give_no_value():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(64, 16))
    few = HeldOut(features=rng.normal(size=(16, 16)), labels=None, real=moments(train))
    ratio = fd_ratio(rng.normal(size=(40, 16)), None, few)
    assert math.isnan(ratio.value) and math.isnan(ratio.error) and ratio.images == 16
    one_more = HeldOut(features=rng.normal(size=(17, 16)), labels=None, real=moments(train))
    assert math.isfinite(fd_ratio(rng.normal(size=(40, 16)), None, one_more).value)


def test_the_distance_of_held_out_images_is_taken_once():
    rng = np.random.default_rng(0)
    real = moments(rng.normal(size=(90, 3)))
    held_out = HeldOut(features=rng.normal(size=(50, 3)), labels=None, real=real)
    before = module._fresh.cache_info()
    for _ in range(3):
        fd_ratio(rng.normal(size=(70, 3)), None, held_out)
    after = module._fresh.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)


def test_over_several_features_it_is_the_mean_and_undefined_if_one_is():
    ratios = [Ratio(value=2.0, error=0.2, images=90), Ratio(value=1.0, error=0.4, images=80)]
    assert mean_ratio(ratios) == Ratio(value=1.5, error=pytest.approx(0.3), images=80)
    undefined = Ratio(value=math.nan, error=math.nan, images=10)
    assert math.isnan(mean_ratio([*ratios, undefined]).value)


def test_fresh_digits_have_1_and_noisy_ones_more():
    """The generator is a part of the training set that the reference does not hold."""
    data = load("digits")
    images, labels = data.train_images, data.train_labels
    real = reference("digits-cnn", images[360:], data.val_images, labels[360:], data.val_labels)
    fresh = score(images[:360], real, labels[:360])
    assert abs(fresh["fdr"] - 1) < fresh["fdr_se"] < 0.3 and 300 < fresh["n_fdr"] < 360
    noise = np.random.default_rng(0).normal(0, 40, (360, 8, 8, 1))
    noisy = np.clip(images[:360] + noise, 0, 255).astype(np.uint8)
    blurred = score(noisy, real, labels[:360])
    assert blurred["fdr"] - 3 * blurred["fdr_se"] > 1


def test_fresh_shapes_have_1():
    data, numbers = load("shapes"), 10_000_000 + np.arange(512)
    labels = np.arange(512) % 10
    real = reference(
        "shapes-cnn", data.reference_images, data.val_images, data.reference_labels, labels
    )
    fresh = score(draw_shapes(numbers), real, numbers % 10)
    assert abs(fresh["fdr"] - 1) < fresh["fdr_se"] < 0.4


def test_a_score_in_further_features_has_the_mean_of_all(data):
    images, labels = noisy(data.train_images[:500], 20), data.train_labels[:500]
    sets = data.train_images, data.val_images, data.train_labels, data.val_labels
    one, two = (reference(name, *sets) for name in ("digits-cnn", "shapes-cnn"))
    apart, both = [score(images, r, labels) for r in (one, two)], score(images, one, labels, [two])
    assert both["fdr"] == pytest.approx((apart[0]["fdr"] + apart[1]["fdr"]) / 2, rel=1e-12)
    assert both | {"fdr": 0, "fdr_se": 0} == apart[0] | {"fdr": 0, "fdr_se": 0}
