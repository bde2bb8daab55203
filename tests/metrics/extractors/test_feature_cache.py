"""Features are computed once and kept on disk, and only what is whole is believed."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from darbench.data import load
from darbench.metrics.extractors import feature_cache
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.metrics.extractors.feature_cache import features_of
from darbench.metrics.scores.reference import content_order, reference


@pytest.fixture(scope="module")
def images():
    return load("digits").train_images[:150]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def passes(monkeypatch):
    """The number of images of every feature pass."""
    seen = []

    def counted(net, images):
        seen.append(len(images))
        return extract(net, images)

    monkeypatch.setattr(feature_cache, "extract", counted)
    return seen


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[layer], two[layer]) for layer in one)


def test_features_are_computed_once_and_read_the_same(images, folder, passes):
    first, again = (features_of("digits-cnn", images) for _ in range(2))
    assert passes == [150]
    assert equal(first, again) and equal(first, extract(extractor("digits-cnn"), images))
    (path,) = folder.iterdir()
    assert path.name.startswith("digits-cnn-") and path.suffix == ".safetensors"


def test_other_images_or_weights_have_other_features(images, folder, passes, monkeypatch):
    features_of("digits-cnn", images)
    changed = images.copy()
    changed[3, 4, 4, 0] ^= 1
    assert not equal(features_of("digits-cnn", changed), features_of("digits-cnn", images))
    monkeypatch.setattr(extractor("digits-cnn"), "weights_sha256", "other")
    features_of("digits-cnn", images)
    assert passes == [150, 150, 150]
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("where", [0.0, 0.01, 0.5, 0.999])
def test_a_corrupted_file_is_computed_anew_and_mended(images, folder, passes, where):
    expected = features_of("digits-cnn", images)
    (path,) = folder.iterdir()
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1
    path.write_bytes(data)
    assert equal(features_of("digits-cnn", images), expected)
    assert equal(features_of("digits-cnn", images), expected)
    assert passes == [150, 150]


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"{}", None])
def test_neither_is_another_or_half_a_file_believed(images, folder, passes, content):
    expected = features_of("digits-cnn", images)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:1000] if content is None else content)
    assert equal(features_of("digits-cnn", images), expected)
    assert passes == [150, 150]


def test_exchanged_layers_and_exchanged_files_are_not_believed(images, folder, passes):
    expected = features_of("digits-cnn", images)
    (path,) = folder.iterdir()
    features = load_file(path)
    features["64"], features["spatial"] = features["spatial"], features["64"]
    save_file(features, path, {"checksum": feature_cache._checksum(path.name, expected)})
    assert equal(features_of("digits-cnn", images), expected)
    features_of("digits-cnn", images[:90])
    (other,) = set(folder.iterdir()) - {path}
    os.replace(other, path)
    assert equal(features_of("digits-cnn", images), expected)
    assert passes == [150, 150, 90, 150]


def test_a_folder_that_cannot_be_written_costs_only_time(images, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "file" / "below"))
    assert equal(features_of("digits-cnn", images), extract(extractor("digits-cnn"), images))


def test_without_a_variable_the_users_cache_is_used(monkeypatch, tmp_path):
    monkeypatch.delenv("DARBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert feature_cache.folder() == tmp_path / "darbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert feature_cache.folder() == tmp_path / ".cache" / "darbench"


def test_another_process_reads_what_this_one_computed(folder):
    data = load("digits")
    for images in (data.train_images, data.val_images):
        features_of("digits-cnn", images[content_order(images)])
    code = (
        "from darbench.data import load\n"
        "from darbench.metrics.extractors import feature_cache\n"
        "from darbench.metrics.scores import reference\n"
        "feature_cache.extract = None\n"
        "data = load('digits')\n"
        "real = reference.reference('digits-cnn', data.train_images, data.val_images)\n"
        "print(real.ref_hash, real.features.sum().item())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}
    )
    assert ran.returncode == 0, ran.stderr
    here = reference("digits-cnn", data.train_images, data.val_images)
    assert ran.stdout.split()[0] == here.ref_hash
    assert len(list(folder.iterdir())) == 2
