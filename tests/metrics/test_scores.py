import math

import numpy as np
import pytest
import scipy.linalg
import torch
import torch_fidelity
from torch.utils.data import Dataset

from darbench.data import load
from darbench.metrics import scores
from darbench.metrics.extractors import extract, extractor
from darbench.metrics.scores import reference, score
from darbench.records import COLUMNS, PYTHON_TYPES

KEYS = {
    "fd", "kid", "kid_se", "inception_score", "precision", "recall", "nn_distance_ratio",
    "n_gen", "n_ref",
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return load("digits")


@pytest.fixture(scope="module")
def real(data):
    return reference("digits-cnn", data.train_images, data.val_images)


def noisy(images, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def features_of(images, layer="64"):
    return extract(extractor("digits-cnn"), images)[layer].double()


def frechet_by_sqrtm(one, two):
    """The definition in float64, the root of the product taken through the symmetric form."""
    one, two = one.numpy(), two.numpy()
    s1, s2 = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    values, vectors = scipy.linalg.eigh(s1)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    between = np.sqrt(scipy.linalg.eigvalsh(root @ s2 @ root).clip(min=0)).sum()
    difference = one.mean(axis=0) - two.mean(axis=0)
    return difference @ difference + np.trace(s1) + np.trace(s2) - 2 * between


def unbiased_mmd(one, two):
    """MMD^2 with the kernel (x.y / d + 1)^3, its own terms without the diagonal."""

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    m, off = len(one), ~np.eye(len(one), dtype=bool)
    own = kernel(one, one)[off].sum() + kernel(two, two)[off].sum()
    return own / (m * (m - 1)) - 2 * kernel(one, two).mean()


def share_inside(points, centres, k=3):
    """Share of points within the k-th neighbour distance of some centre, one pair at a time."""
    inside = 0
    radii = [sorted(math.dist(a, b) for b in centres)[k] for a in centres]
    for point in points:
        pairs = zip(centres, radii, strict=True)
        inside += any(math.dist(point, centre) <= radius for centre, radius in pairs)
    return inside / len(points)


def test_scores_are_columns_of_a_row(data, real):
    found = score(data.val_images, real)
    assert found.keys() == KEYS
    for name, value in found.items():
        assert type(value) is PYTHON_TYPES[COLUMNS[name].kind]
    assert (found["n_gen"], found["n_ref"]) == (360, 1437)
    assert found == score(data.val_images.copy(), real)


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
    found = score(data.train_images, real)
    assert 0 <= found["fd"] < 1e-6
    assert (found["precision"], found["recall"], found["nn_distance_ratio"]) == (1, 1, 0)


def test_frechet_distance_grows_with_noise(data, real):
    distances = [score(noisy(data.val_images, sigma), real)["fd"] for sigma in (0, 15, 30, 60)]
    assert distances == sorted(distances) and distances[-1] > 5 * distances[0]


def test_kernel_distance_and_error_are_those_of_its_subsets(data):
    one, two = features_of(data.val_images[:90]), features_of(noisy(data.train_images[:120], 30))
    rng = np.random.RandomState(2020)
    values = []
    for _ in range(scores.KID_SUBSETS):
        first = rng.choice(90, 45, replace=False)
        second = rng.choice(120, 45, replace=False)
        values.append(unbiased_mmd(one.numpy()[first], two.numpy()[second]))
    kid, kid_se = scores.kernel_distance(one, two)
    assert kid == pytest.approx(np.mean(values), rel=1e-9)
    assert kid_se == pytest.approx(np.std(values), rel=1e-9)


def test_kernel_distance_is_near_that_of_one_full_subset(data):
    one, two = features_of(data.val_images), features_of(noisy(data.train_images[:360], 40))
    kid, kid_se = scores.kernel_distance(one, two)
    assert abs(kid - unbiased_mmd(one.numpy(), two.numpy())) < kid_se / 2


def test_kernel_distance_scatters_as_its_standard_error_says():
    rng = np.random.default_rng(0)
    kids, errors = [], []
    for _ in range(60):
        one, two = rng.normal(size=(120, 6)), rng.normal(0.5, 1, size=(120, 6))
        kid, kid_se = scores.kernel_distance(torch.tensor(one), torch.tensor(two))
        kids.append(kid)
        errors.append(kid_se)
    assert np.std(kids, ddof=1) / np.mean(errors) == pytest.approx(1, abs=0.35)


def test_precision_and_recall_are_those_of_brute_force(data):
    one, two = features_of(noisy(data.val_images[:80], 30)), features_of(data.train_images[:100])
    precision, recall = scores.precision_recall(one, two)
    assert precision == pytest.approx(share_inside(one.tolist(), two.tolist()), abs=1e-6)
    assert recall == pytest.approx(share_inside(two.tolist(), one.tolist()), abs=1e-6)
    assert 0 < precision < 1 and 0 < recall < 1


def test_inception_score_in_closed_form():
    certain = torch.eye(10, dtype=torch.float64).repeat(20, 1) * 100
    assert scores.inception_score(certain) == pytest.approx(10, rel=1e-12)
    assert scores.inception_score(torch.ones(200, 10)) == pytest.approx(1, rel=1e-12)
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(10), size=300)
    expected = math.exp((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean())
    assert scores.inception_score(torch.tensor(np.log(p))) == pytest.approx(expected, rel=1e-12)


def test_distance_to_the_nearest_training_image(data, real):
    def nearest(image):
        differences = (data.train_images.astype(float) - image) / 255
        return np.sqrt((differences**2).sum(axis=(1, 2, 3))).min()

    images = noisy(data.val_images[:70], 50)
    expected = np.median([nearest(x) for x in images])
    expected /= np.median([nearest(x) for x in data.val_images])
    assert score(images, real)["nn_distance_ratio"] == pytest.approx(expected, rel=1e-12)
    assert score(data.val_images, real)["nn_distance_ratio"] == 1


def test_distances_do_not_depend_on_the_chunk(data, real, monkeypatch):
    whole = score(data.val_images, real)["nn_distance_ratio"]
    monkeypatch.setattr(scores, "CHUNK", 100)
    assert score(data.val_images, real)["nn_distance_ratio"] == whole


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_constant_images_get_honest_finite_numbers(data, real, grey):
    found = score(np.full_like(data.val_images, grey), real)
    constant = features_of(np.full((1, 8, 8, 1), grey, np.uint8))
    two = features_of(data.train_images)
    expected = ((constant[0] - two.mean(0)) ** 2).sum() + two.var(0).sum()
    assert found["fd"] == pytest.approx(expected.item(), rel=1e-6)
    assert all(math.isfinite(value) for value in found.values())
    assert found["kid"] > 10 * found["kid_se"] > 0
    assert found["inception_score"] == pytest.approx(1, rel=1e-9)
    assert (found["precision"], found["recall"]) == (0, 0)
    assert found["nn_distance_ratio"] > 2


def test_what_is_not_finite_is_null(data):
    real = reference("digits-cnn", data.train_images, data.train_images[:100])
    assert score(data.val_images, real)["nn_distance_ratio"] is None


def test_fewer_images_than_features_are_refused(data, real):
    with pytest.raises(ValueError, match=r"63 images are too few .* 64 features"):
        score(data.val_images[:63], real)
    with pytest.raises(ValueError, match="too few"):
        reference("digits-cnn", data.train_images[:10], data.val_images)


def test_images_of_another_size_than_the_references_are_refused(data, real):
    with pytest.raises(ValueError, match="differ in size"):
        score(np.repeat(data.val_images, 3, axis=3), real)


def test_a_reference_is_made_once_and_known_by_its_contents(data, real):
    copies = data.train_images.copy(), data.val_images.copy()
    assert reference("digits-cnn", *copies) is real
    copies[1][0, 0, 0, 0] += 1
    other = reference("digits-cnn", *copies)
    assert other.ref_hash != real.ref_hash and len(real.ref_hash) == 16
    assert other.statistics["mu"].dtype == other.statistics["sigma"].dtype == np.float64


class Images(Dataset):
    """What torch-fidelity reads: uint8 tensors (3, H, W)."""

    def __init__(self, images):
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).repeat(1, 3, 1, 1)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def test_torch_fidelitys_own_entry_gives_the_same_numbers(data):
    generated, trained = noisy(data.val_images[:150], 20), data.train_images[:200]
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(generated), input2=Images(trained), feature_extractor="digits-cnn",
        fid=True, kid=True, isc=True, prc=True, kid_subsets=scores.KID_SUBSETS,
        kid_subset_size=75, isc_splits=1, cuda=False, verbose=False, save_cpu_ram=True,
        cache=False, batch_size=50,
    )  # fmt: skip
    ours = score(generated, reference("digits-cnn", trained, data.val_images))
    assert ours["fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours["kid_se"] == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-3)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert (ours["precision"], ours["recall"]) == (theirs["precision"], theirs["recall"])


def test_scoring_is_silent_and_leaves_nothing_behind(data, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch_fidelity.utils.DataLoader", None)
    score(data.val_images, reference("digits-cnn", data.train_images[:300], data.val_images))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
