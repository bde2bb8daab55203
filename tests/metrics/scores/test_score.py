import math

import numpy as np
import pytest
import torch
import torch_fidelity
from threadpoolctl import threadpool_limits
from torch.utils.data import Dataset

from darbench.arithmetic import plain_arithmetic
from darbench.data import load
from darbench.metrics.extractors.extractor import extractor
from darbench.metrics.extractors.small_extractor import DigitsCNN
from darbench.metrics.scores import score as scores
from darbench.metrics.scores.kernel import kernel_distance
from darbench.metrics.scores.reference import reference
from darbench.metrics.scores.score import score
from darbench.records.schema import COLUMNS
from tests.make.rows import PYTHON_TYPES
from tests.metrics.scores.pictures import features_of, frechet_by_sqrtm, noisy

KEYS = {
    "fd",
    "fd_inf",
    "fd_inf_se",
    "fdr",
    "fdr_se",
    "sfd",
    "kid",
    "kid_se",
    "inception_score",
    "precision",
    "recall",
    "nn_distance_ratio",
    "n_gen",
    "n_ref",
    "n_fdr",
}


def test_scores_are_columns_of_a_row(data, real):
    images = noisy(data.train_images[:512], 20)
    scores = score(images, real)
    assert scores.keys() == KEYS
    for name, value in scores.items():
        assert type(value) is PYTHON_TYPES[COLUMNS[name].kind]
    assert (scores["n_gen"], scores["n_ref"]) == (512, 1437)
    assert scores == score(images.copy(), real)


def test_fd_infinity_needs_8_samples_a_feature(data, real):
    images = noisy(data.train_images[:512], 20)
    few = score(images[:511], real)
    assert few["fd_inf"] is few["fd_inf_se"] is None
    scores = score(images, real)
    assert scores["fd_inf"] < scores["fd"] and scores["fd_inf_se"] > 0


def test_neither_order_nor_batches_change_a_bit(data):
    rng = np.random.default_rng(0)
    images, labels = noisy(data.train_images[:600], 20), np.arange(600) % 10
    images[10:20] = images[0]  # equal images of several labels
    real = reference("digits-cnn", data.train_images, data.val_images, data.train_labels)
    wanted = score(images, real, labels)
    for order in (np.arange(600)[::-1], rng.permutation(600)):
        assert score(images[order], real, labels[order]) == wanted


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_the_threads_around_a_trial_change_no_bit(name):
    """Linear algebra over 256 spatial features, as those of shapes, depends on them elsewhere."""
    data, threads = load(name), torch.get_num_threads()
    real = reference(f"{name}-cnn", data.reference_images[:512], data.val_images[:100])
    images, scores = noisy(data.reference_images[:512], 20), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with threadpool_limits(count, user_api="blas"), plain_arithmetic("cpu"):
                scores.append(score(images, real))
    finally:
        torch.set_num_threads(threads)
    assert scores[0] == scores[1]


def test_labels_change_fd_infinity_and_kid_and_nothing_else(data, real):
    images, labels = noisy(data.train_images[:600], 20), data.train_labels
    told = reference("digits-cnn", data.train_images, data.val_images, labels)
    scores = [score(images, real), score(images, real, labels[:600]), score(images, told)]
    of_samples, of_real = ({k for k in KEYS if scores[0][k] != other[k]} for other in scores[1:])
    assert of_samples == {"fd_inf", "fd_inf_se", "kid", "kid_se"}
    assert of_real == {"kid", "kid_se"}
    assert scores[1]["fd_inf_se"] < scores[0]["fd_inf_se"]
    # Pairs of one label are the nearest, and count for more than they occur.
    assert scores[1]["kid"] > scores[0]["kid"] and scores[2]["kid"] > scores[0]["kid"]


def test_kid_is_that_of_the_features_with_both_sets_labels(data):
    images, labels = noisy(data.train_images[:600], 20), data.train_labels
    told = reference("digits-cnn", data.train_images, data.val_images, labels)
    scores = score(images, told, labels[:600])
    kid, error = kernel_distance(
        features_of(images).numpy(), features_of(data.train_images).numpy(), labels[:600], labels
    )
    assert (scores["kid"], scores["kid_se"]) == pytest.approx((kid, error), rel=1e-9)


def test_the_spatial_distance_is_that_of_the_spatial_layer(data, real):
    images = noisy(data.val_images, 20)
    expected = frechet_by_sqrtm(
        features_of(images, "spatial"), features_of(data.train_images, "spatial")
    )
    assert score(images, real)["sfd"] == pytest.approx(expected, rel=1e-6)


def test_an_extractor_without_a_spatial_layer_has_no_spatial_distance(data, monkeypatch):
    layers = {k: v for k, v in DigitsCNN.layers.items() if k != "sfid"}
    monkeypatch.setattr(extractor("digits-cnn"), "layers", layers)
    plain = reference("digits-cnn", data.train_images[:300], data.val_images)
    assert plain.spatial is None
    assert score(data.val_images, plain)["sfd"] is None


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


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_constant_images_get_honest_finite_numbers(data, real, grey):
    scores = score(np.full_like(data.val_images, grey), real)
    constant = features_of(np.full((1, 8, 8, 1), grey, np.uint8))
    two = features_of(data.train_images)
    expected = ((constant[0] - two.mean(0)) ** 2).sum() + two.var(0).sum()
    assert scores["fd"] == pytest.approx(expected.item(), rel=1e-6)
    assert None not in {v for k, v in scores.items() if not k.startswith("fd_inf")}
    assert scores["sfd"] > 0
    assert scores["kid"] > 10 * scores["kid_se"] > 0
    assert scores["inception_score"] == pytest.approx(1, rel=1e-9)
    assert (scores["precision"], scores["recall"]) == (0, 0)
    assert scores["nn_distance_ratio"] > 2


def test_copies_of_one_real_image_are_no_good_samples(data, real):
    scores = score(np.repeat(data.train_images[:1], 600, axis=0), real)
    good = score(noisy(data.train_images[:600], 5), real)
    assert scores["fd"] > 100 * good["fd"]
    assert scores["fd_inf"] == pytest.approx(scores["fd"], rel=1e-6)
    assert scores["fd_inf_se"] == pytest.approx(0, abs=1e-6)
    assert scores["kid"] > 10 * scores["kid_se"] > 0
    assert scores["inception_score"] == pytest.approx(1, rel=1e-9)
    assert scores["precision"] == 1 and scores["recall"] <= 2 / 1437
    assert scores["nn_distance_ratio"] == 0


def test_one_class_alone_is_precise_but_covers_little(data, real):
    one = noisy(data.train_images[data.train_labels == 3], 5)
    all_classes = noisy(data.train_images[: len(one)], 5)
    scores, good = score(one, real), score(all_classes, real)
    assert scores["inception_score"] < 1.5 < 8 < good["inception_score"]
    assert scores["fd"] > 5 * good["fd"] and scores["sfd"] > good["sfd"]
    assert scores["kid"] - 10 * scores["kid_se"] > 0
    assert scores["precision"] > 0.9 and scores["recall"] < 0.3


def test_noise_is_far_from_everything(data, real):
    images = np.random.default_rng(0).integers(0, 256, (600, 8, 8, 1), dtype=np.uint8)
    scores = score(images, real)
    assert all(math.isfinite(value) for value in scores.values())
    assert scores["fd"] > 50 and scores["precision"] < 0.1 and scores["nn_distance_ratio"] > 1.5


def test_the_training_images_themselves_are_told_by_their_distance(data, real):
    scores = score(data.train_images, real)
    assert scores["nn_distance_ratio"] == 0
    assert scores["fd_inf"] < 0 < scores["fd_inf_se"]


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
    told = reference("digits-cnn", *copies, data.train_labels)
    assert told.ref_hash not in (
        real.ref_hash,
        reference("digits-cnn", *copies, data.train_labels[::-1]).ref_hash,
    )
    copies[1][0, 0, 0, 0] += 1
    other = reference("digits-cnn", *copies)
    assert other.ref_hash != real.ref_hash and len(real.ref_hash) == 16
    assert other.statistics["mu"].dtype == other.statistics["sigma"].dtype == np.float64


class Images(Dataset):
    """A dataset as torch-fidelity reads it: uint8 tensors (3, H, W)."""

    def __init__(self, images):
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).repeat(1, 3, 1, 1)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def test_torch_fidelitys_own_entry_gives_the_same_numbers(data):
    generated, trained = noisy(data.val_images[:150], 20), data.train_images[:150]
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(generated),
        input2=Images(trained),
        feature_extractor="digits-cnn",
        fid=True,
        kid=True,
        isc=True,
        prc=True,
        kid_subsets=1,
        kid_subset_size=150,
        isc_splits=1,
        cuda=False,
        verbose=False,
        save_cpu_ram=True,
        cache=False,
        batch_size=50,
    )
    ours = score(generated, reference("digits-cnn", trained, data.val_images))
    assert ours["fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert (ours["precision"], ours["recall"]) == (theirs["precision"], theirs["recall"])


def test_scoring_is_silent_and_leaves_nothing_behind(data, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch_fidelity.utils.DataLoader", None)
    score(data.val_images, reference("digits-cnn", data.train_images[:300], data.val_images))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
