import gzip
import hashlib

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

from darbench.data import fashion_mnist, kind, load
from darbench.errors import BadInput
from tests.make.data import write_fashion_mnist, write_idx

IMAGES, LABELS = fashion_mnist.FILES["train"]


@pytest.fixture
def folder(tmp_path):
    write_fashion_mnist(tmp_path / "files")
    return tmp_path / "files"


def test_the_published_hashes_are_those_that_torchvision_checks():
    known = {name.removesuffix(".gz"): md5 for name, md5 in FashionMNIST.resources}
    assert known == fashion_mnist.PUBLISHED


def test_packed_and_unpacked_files_are_read_as_torchvision_reads_them(folder, tmp_path):
    packed = fashion_mnist.load(folder)
    raw = tmp_path / "vision" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.iterdir():
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    theirs = FashionMNIST(tmp_path / "vision", train=True)
    assert np.array_equal(packed.train_images[..., 0], theirs.data.numpy())
    assert np.array_equal(packed.train_labels, theirs.targets.numpy())
    unpacked = fashion_mnist.load(raw)
    assert unpacked.fingerprint == packed.fingerprint
    assert unpacked.remarks == ("4 unpacked files, of which no hash is published",)
    assert (packed.remarks, unpacked.unpublished()) == ((), "")


def test_the_facts_are_those_of_the_files(folder):
    data = load("fashion-mnist", str(folder))
    assert (data.shape, data.classes) == (kind("fashion-mnist").shape, 10)
    assert (data.n_train, data.n_val, data.n_references) == (40, 8, 40)
    assert "60,000" in kind("fashion-mnist").departure(data)


def test_references_are_as_many_of_each_class_and_a_thousand_are_held_out(tmp_path, monkeypatch):
    write_fashion_mnist(tmp_path / "more", train=100, test=1200)
    monkeypatch.setattr(fashion_mnist, "PER_CLASS", 3)
    data = fashion_mnist.load(tmp_path / "more")
    assert np.bincount(data.reference_labels).tolist() == [3] * 10
    assert np.array_equal(data.reference_images, data.train_images[:30])
    assert (data.n_references, data.n_val) == (30, 1000)


def test_files_of_other_hashes_are_not_the_published_ones(folder, monkeypatch):
    assert fashion_mnist.load(folder).unpublished().startswith(f"{IMAGES}, ")
    ours = {p.stem: hashlib.md5(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    monkeypatch.setattr(fashion_mnist, "PUBLISHED", ours)
    assert fashion_mnist.load(folder).unpublished() == ""


def damage(folder, name, change):
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (IMAGES, lambda d: d[:-5], r"31,355 bytes of values, not 40 x 28 x 28; it is truncated"),
        (IMAGES, lambda d: b"\x00\x00\x09" + d[3:], "begins with 00000903, an idx file of 3 dim"),
        (IMAGES, lambda d: d[:3], "begins with 000008, "),
        (IMAGES, lambda d: d[:4] + b"\xff" * 12, r"0 bytes of values, not 4294967295 x 4294"),
        (LABELS, lambda d: d[:-1] + b"\x0a", "label 10; must be 0 to 9"),
        (LABELS, lambda d: d[:7] + b"\x27" + d[9:], "39 labels, but train-images.*has 40 images"),
    ],
)
def test_a_damaged_file_is_named(folder, name, change, said):
    damage(folder, name, change)
    with pytest.raises(BadInput, match=rf"{name}.gz: .*{said}|{name}.gz: {said}"):
        fashion_mnist.load(folder)


def test_missing_files_other_sizes_and_what_is_no_gzip_are_named(folder):
    write_idx(folder / f"{IMAGES}.gz", np.zeros((40, 32, 28), np.uint8))
    with pytest.raises(BadInput, match="images of 28 x 32, not of 28 x 28"):
        fashion_mnist.load(folder)
    (folder / f"{IMAGES}.gz").write_bytes(b"<html>")
    with pytest.raises(BadInput, match=r"cannot be unpacked \(Not a gzipped file"):
        fashion_mnist.load(folder)
    (folder / f"{IMAGES}.gz").unlink()
    with pytest.raises(BadInput, match=f"no {IMAGES}.gz and no {IMAGES} in"):
        fashion_mnist.load(folder)
