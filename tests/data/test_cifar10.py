import hashlib
import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from darbench.data import cifar10, kind, load
from darbench.errors import BadInput

rng = np.random.default_rng(0)
TRAIN, TEST = (
    rng.integers(0, 256, (10, 32, 32, 3), np.uint8),
    rng.integers(0, 256, (2, 32, 32, 3), np.uint8),
)
TRAIN_LABELS, TEST_LABELS = np.arange(10), np.array([9, 3])


def record(image, label) -> bytes:
    """A record of the binary version, plane by plane as its page describes."""
    planes = [image[y, x, c] for c in range(3) for y in range(32) for x in range(32)]
    return bytes([label, *planes])


def write_binary(folder):
    folder.mkdir(parents=True)
    for i in range(5):
        part = slice(2 * i, 2 * i + 2)
        records = map(record, TRAIN[part], TRAIN_LABELS[part])
        (folder / f"data_batch_{i + 1}.bin").write_bytes(b"".join(records))
    (folder / "test_batch.bin").write_bytes(b"".join(map(record, TEST, TEST_LABELS)))


def png(image) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def write_parquet(folder, column="img"):
    folder.mkdir(parents=True)
    for name, images, labels in (("train", TRAIN, TRAIN_LABELS), ("test", TEST, TEST_LABELS)):
        cells = [{"bytes": png(image), "path": None} for image in images]
        table = pl.DataFrame({column: cells, "label": labels})
        table.write_parquet(folder / f"{name}-00000-of-00001.parquet")


FORMS = {
    "binary": write_binary,
    "archive": lambda folder: write_binary(folder / "cifar-10-batches-bin"),
    "hub": lambda folder: write_parquet(folder / "plain_text"),
    "image column": lambda folder: write_parquet(folder, "image"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form_holds_the_same_images(tmp_path, form):
    FORMS[form](tmp_path / "data")
    data = load("cifar10", str(tmp_path / "data"))
    assert np.array_equal(data.train_images, TRAIN) and np.array_equal(data.val_images, TEST)
    assert np.array_equal(data.train_labels, TRAIN_LABELS)
    assert np.array_equal(data.val_labels, TEST_LABELS)
    assert (data.classes, data.shape, data.n_train, data.n_val) == (10, (3, 32, 32), 10, 2)
    assert (data.n_references, data.picture_bytes) == (10, TRAIN[0].nbytes)
    assert kind("cifar10").picture_bytes == data.picture_bytes
    assert (kind("cifar10").classes, kind("cifar10").shape) == (data.classes, data.shape)
    write_binary(tmp_path / "other")
    assert data.fingerprint == load("cifar10", str(tmp_path / "other")).fingerprint


def test_items_follow_the_order_of_the_run(tmp_path):
    write_binary(tmp_path / "data")
    data = load("cifar10", str(tmp_path / "data"))
    x, label = data.train(0, range(6, 12))
    order = data.order(0, range(6, 12))
    assert np.array_equal(data.decode(x), TRAIN[order])
    assert np.array_equal(label.numpy(), TRAIN_LABELS[order])


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def table(path, **columns):
    pl.DataFrame(columns).write_parquet(path)


# What is done to the folder d, and what is said about it.
BINARY = {
    "no folder at": lambda d: d.rename(d.parent / "moved"),
    "no training files in": lambda d: [p.unlink() for p in d.iterdir()],
    "no test files in": lambda d: (d / "test_batch.bin").unlink(),
    "data/data_batch_1.bin: missing, though data_batch_5.bin is": lambda d: (
        d / "data_batch_1.bin"
    ).unlink(),
    "data/data_batch_5.bin: missing, though data_batch_4.bin is": lambda d: (
        d / "data_batch_5.bin"
    ).unlink(),
    "data_batch_2.bin: .*truncated": lambda d: cut(d / "data_batch_2.bin"),
    "data_batch_2.bin: truncated: 3,073 bytes, but .*.bin has 6,146": lambda d: (
        d / "data_batch_2.bin"
    ).write_bytes(record(TRAIN[2], 2)),
    "test_batch.bin: truncated: 0 bytes, but": lambda d: (d / "test_batch.bin").write_bytes(b""),
    "test_batch.bin: label 10 of image 1; labels must be 0 to 9": lambda d: (
        d / "test_batch.bin"
    ).write_bytes(record(TEST[0], 9) + record(TEST[0], 10)),
    "data_batch_1.bin: no images in it": lambda d: [p.write_bytes(b"") for p in d.iterdir()],
    "data_batch_1.bin: 100 bytes are no whole number of records of 3,073": lambda d: [
        p.write_bytes(bytes(100)) for p in d.iterdir()
    ],
}
PARQUET = {
    "train-00000-of-00002.parquet: missing, though train-00001-of-00002": lambda f: f.rename(
        f.parent / "train-00001-of-00002.parquet"
    ),
    "train.*cannot be read as Parquet": lambda f: cut(f),
    "train.*columns a .Int64.; must be img or image": lambda f: table(f, a=[1]),
    "train.*label .String.; must be .*, and an integer label": lambda f: table(
        f, img=[{"bytes": png(TEST[0])}], label=["cat"]
    ),
    "train.*row 0 is 32 x 16, not 32 x 32": lambda f: table(
        f, img=[{"bytes": png(TEST[0, :16])}], label=[0]
    ),
    "train.*row 0 holds no image": lambda f: table(f, img=[{"bytes": b"none"}], label=[0]),
    "train.*row 1 has no img;": lambda f: table(
        f, img=[{"bytes": png(TEST[0])}, None], label=[0, 1]
    ),
    "train.*row 1 has no label;": lambda f: table(
        f, img=[{"bytes": png(TEST[0])}] * 2, label=[0, None]
    ),
    "train.*label -1 of image 0; labels must be 0 to 9": lambda f: table(
        f, img=[{"bytes": png(TEST[0])}], label=[-1]
    ),
    "train.*no images in it": lambda f: pl.read_parquet(f).clear().write_parquet(f),
}


@pytest.mark.parametrize("message", BINARY)
def test_broken_binary_files_are_named(tmp_path, message):
    write_binary(tmp_path / "data")
    BINARY[message](tmp_path / "data")
    with pytest.raises(BadInput, match=message):
        load("cifar10", str(tmp_path / "data"))


@pytest.mark.parametrize("message", PARQUET)
def test_broken_parquet_files_are_named(tmp_path, message):
    write_parquet(tmp_path / "data")
    PARQUET[message](next((tmp_path / "data").glob("train*")))
    with pytest.raises(BadInput, match=message):
        load("cifar10", str(tmp_path / "data"))


def test_a_panic_of_polars_is_a_damaged_file(tmp_path, monkeypatch):
    """A few of a thousand random changes of bytes make polars panic in this way."""
    write_parquet(tmp_path / "data")

    def panic(path):
        raise pl.exceptions.PanicException("capacity overflow")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(BadInput, match=r"cannot be read as Parquet \(capacity overflow\)"):
        load("cifar10", str(tmp_path / "data"))


def test_training_and_test_files_are_of_one_form(tmp_path):
    write_binary(tmp_path / "data")
    (tmp_path / "data" / "test_batch.bin").unlink()
    write_parquet(tmp_path / "data" / "hub")
    with pytest.raises(BadInput, match=r"data_batch_1.bin, but test .*/test-00000.*give one copy"):
        load("cifar10", str(tmp_path / "data"))


@pytest.mark.parametrize("write", [write_binary, write_parquet])
def test_training_and_test_files_are_of_one_copy(tmp_path, write):
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert load("cifar10", str(tmp_path)).n_val == 2
    load.cache_clear()
    next((tmp_path / "a").glob("test*")).unlink()
    with pytest.raises(BadInput, match=r"such as .*/a/.*, but test files such as .*/b/test"):
        load("cifar10", str(tmp_path))


def test_a_part_may_lie_in_several_parquet_files(tmp_path):
    folder = tmp_path / "data"
    write_parquet(folder)
    whole = folder / "train-00000-of-00001.parquet"
    images = pl.read_parquet(whole)
    images[:4].write_parquet(folder / "train-00000-of-00002.parquet")
    images[4:].write_parquet(folder / "train-00001-of-00002.parquet")
    whole.unlink()
    assert np.array_equal(load("cifar10", str(folder)).train_images, TRAIN)


def test_the_pickled_version_is_not_read(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"cos\nsystem\n")
    with pytest.raises(BadInput, match=r"no training .*data_batch_1 is of the pickled version"):
        load("cifar10", str(tmp_path))


def test_a_folder_that_is_a_link_is_followed(tmp_path):
    write_parquet(tmp_path / "cache" / "blobs")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "plain_text").symlink_to(tmp_path / "cache" / "blobs")
    assert np.array_equal(load("cifar10", str(tmp_path / "hub")).train_images, TRAIN)
    (tmp_path / "cache").rename(tmp_path / "moved")
    load.cache_clear()
    with pytest.raises(BadInput, match="hub/plain_text: a link that leads nowhere"):
        load("cifar10", str(tmp_path / "hub"))


def test_five_equal_batches_are_refused(tmp_path):
    write_binary(tmp_path / "data")
    one = (tmp_path / "data" / "data_batch_1.bin").read_bytes()
    (tmp_path / "data" / "data_batch_3.bin").write_bytes(one)
    with pytest.raises(BadInput, match=r"data_batch_3.bin: holds the same images as data_batch_1"):
        load("cifar10", str(tmp_path / "data"))


def test_a_few_test_images_among_the_training_images_are_counted(tmp_path, monkeypatch):
    own = rng.integers(0, 256, (100, 32, 32, 3), np.uint8)
    own[41] = TRAIN[7]
    monkeypatch.setitem(globals(), "TEST", own)
    monkeypatch.setitem(globals(), "TEST_LABELS", np.arange(100) % 10)
    write_parquet(tmp_path / "few")
    said = "1 of 100 test images are training images, such as test image 41"
    assert load("cifar10", str(tmp_path / "few")).remarks == (said,)
    own[7] = TRAIN[0]
    write_parquet(tmp_path / "more")
    with pytest.raises(BadInput, match=r"2 of 100 test images are .* such as test image 7;"):
        load("cifar10", str(tmp_path / "more"))


def test_published_images_are_taken_whatever_they_share(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "TEST", np.stack([TEST[0], TRAIN[7]]))
    write_binary(tmp_path / "data")
    sha1 = {f.name: hashlib.sha1(f.read_bytes()).hexdigest() for f in tmp_path.glob("data/*.bin")}
    monkeypatch.setattr(cifar10, "PER_BATCH", 2)
    monkeypatch.setattr(cifar10, "PUBLISHED_TEST", {sha1.pop("test_batch.bin")})
    with pytest.raises(BadInput, match="1 of 2 test images are training images"):
        load("cifar10", str(tmp_path / "data"))
    monkeypatch.setattr(cifar10, "PUBLISHED_TRAIN", set(sha1.values()))
    assert load("cifar10", str(tmp_path / "data")).n_val == 2


@pytest.mark.parametrize("write", [write_binary, write_parquet])
def test_many_test_images_may_not_be_training_images(tmp_path, write, monkeypatch):
    monkeypatch.setitem(globals(), "TEST", np.stack([TEST[0], TRAIN[7]]))
    write(tmp_path / "data")
    with pytest.raises(BadInput, match=r"data: 1 of 2 test images are .*such as test image 1"):
        load("cifar10", str(tmp_path / "data"))


def test_two_uploads_side_by_side_are_refused_and_a_missing_file_of_one_is_named(tmp_path):
    write_parquet(tmp_path / "data")
    plain = tmp_path / "data" / "train-00000-of-00001.parquet"
    hashed = plain.with_name("train-00000-of-00001-b42a2f1e8d0c8a7f.parquet")
    hashed.write_bytes(plain.read_bytes())
    other = "train-.*parquet: beside train-.*which is of another upload; keep one"
    with pytest.raises(BadInput, match=other):
        load("cifar10", str(tmp_path / "data"))
    plain.unlink()
    assert len(load("cifar10", str(tmp_path / "data")).train_images) == 10
    load.cache_clear()
    hashed.rename(hashed.with_name("train-00000-of-00002-b42a2f1e8d0c8a7f.parquet"))
    with pytest.raises(BadInput, match=r"train-00001-of-00002\.parquet: missing"):
        load("cifar10", str(tmp_path / "data"))
    plain.write_bytes(next(plain.parent.glob("train*")).read_bytes())
    with pytest.raises(BadInput, match=other):
        load("cifar10", str(tmp_path / "data"))


def test_files_of_another_copy_are_passed_over_with_a_word(tmp_path):
    write_binary(tmp_path / "a")
    write_binary(tmp_path / "b")
    remarks = load("cifar10", str(tmp_path)).remarks
    assert remarks == ("passed over 6 files such as b/data_batch_1.bin",)
    assert load("cifar10", str(tmp_path / "a")).remarks == ()


def test_an_archive_that_is_not_unpacked_is_named(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"")
    with pytest.raises(BadInput, match=r"\.tar\.gz is not unpacked"):
        load("cifar10", str(tmp_path))


@pytest.mark.parametrize("order", [range(5), (3, 2, 1, 4, 0)])
def test_images_are_held_against_the_published_hashes_in_either_order(
    tmp_path, monkeypatch, order
):
    """The hub's Parquet has the five batches in the order of the archive."""
    write_binary(tmp_path / "data")
    sha1 = {f.name: hashlib.sha1(f.read_bytes()).hexdigest() for f in tmp_path.glob("data/*.bin")}
    test = {sha1.pop("test_batch.bin")}
    monkeypatch.setattr(cifar10, "PER_BATCH", 2)
    monkeypatch.setattr(cifar10, "PUBLISHED_TRAIN", set(sha1.values()))
    monkeypatch.setattr(cifar10, "PUBLISHED_TEST", test)
    rows = np.concatenate([np.arange(2 * i, 2 * i + 2) for i in order])
    monkeypatch.setitem(globals(), "TRAIN", TRAIN[rows])
    monkeypatch.setitem(globals(), "TRAIN_LABELS", TRAIN_LABELS[rows])
    write_parquet(tmp_path / "hub")
    assert load("cifar10", str(tmp_path / "hub")).unpublished() == ""
    TRAIN_LABELS[0] = 9
    write_parquet(tmp_path / "other")
    differs = load("cifar10", str(tmp_path / "other")).unpublished()
    assert differs == "other training images or labels, by their hash"


def test_the_departure_names_data_of_the_published_size_and_another_hash(tmp_path):
    write_binary(tmp_path / "data")
    data = load("cifar10", str(tmp_path / "data"))
    published = replace(kind("cifar10"), n_train=10, n_val=2)
    assert published.departure(data) == (
        "not the published data: other training and test images or labels, by their hash"
    )
