"""CIFAR-10 (Krizhevsky, 2009) from a local folder: 32 x 32 RGB, 10 classes, 50 000 and 10 000.

Two published forms are read: the binary version (data_batch_*.bin and test_batch.bin; a record is
the label's byte and 3072 of the red, the green and the blue plane), and Parquet as on the Hugging
Face hub (*train*.parquet and *test*.parquet; PNG bytes in the column img or image, and label).
The pickled "python version" is not read: a pickle can run code. Images are held against the
published hashes, wherever they come from. Of others at most one test image in a hundred may be a
training image to the last bit, as happens where pictures are collected, and how many are is said.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from darbench.data.cifar10_files import find
from darbench.data.pixels import Pixels
from darbench.data.shown import Unreadable, shown
from darbench.errors import BadInput

SIDE, CLASSES = 32, 10
RECORD = 1 + 3 * SIDE * SIDE  # bytes
PER_BATCH = 10_000  # images
SHARED = 0.01  # the most test images, of all, that may be training images
# SHA-1 of the published files of the binary version, as MXNet's Gluon has long checked them.
PUBLISHED_TRAIN = {
    "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "26e2849e66a845b7f1e4614ae70f4889ae604628",
}
PUBLISHED_TEST = {"67eb016db431130d61cd03c7ad570b013799c88c"}

Part = tuple[np.ndarray, np.ndarray]  # images uint8 (N, 32, 32, 3), labels int64 (N,)


@dataclass(frozen=True, kw_only=True)
class Cifar10(Pixels):
    """CIFAR-10's images, which can be held against the published ones."""

    remarks: tuple[str, ...] = ()

    def unpublished(self) -> str:
        """Compare the images with the published files, ten thousand a file; the hub has these in
        another order."""
        parts = (
            ("training", PUBLISHED_TRAIN, self.train_images, self.train_labels),
            ("test", PUBLISHED_TEST, self.val_images, self.val_labels),
        )
        others = [name for name, wanted, *part in parts if set(_batch_hashes(*part)) != wanted]
        return f"other {' and '.join(others)} images or labels, by their hash" if others else ""


def load(folder: Path) -> Cifar10:
    """CIFAR-10 from a folder in either form.

    BadInput names a file that is missing, truncated, from another copy, of another shape, or that
    holds the images of another.
    """
    train, test, remarks = find(folder)
    (train_images, train_labels), (val_images, val_labels) = _read(train), _read(test)
    data = Cifar10(
        name="cifar10",
        classes=CLASSES,
        train_images=train_images,
        train_labels=train_labels,
        val_images=val_images,
        val_labels=val_labels,
        remarks=remarks,
    )
    shared = _shared(test[0].parent, data) if data.unpublished() else []
    return replace(data, remarks=(*remarks, *shared))


def _read(files: list[Path]) -> Part:
    """All images of the files, in the order of their names."""
    parts = [(_binary if path.suffix == ".bin" else _parquet)(path) for path in files]
    for path, (_, labels) in zip(files, parts, strict=True):
        if len(labels) == 0:
            raise BadInput(f"{path}: no images in it; download it again")
        wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
        if wrong.size:
            row = wrong[0]
            raise BadInput(f"{path}: label {labels[row]} of image {row}; labels must be 0 to 9")
    _check_distinct(files, parts)
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _check_distinct(files: list[Path], parts: list[Part]) -> None:
    """BadInput names a file that holds the images of another, as when one was saved twice."""
    seen: dict[bytes, Path] = {}
    for path, (images, _) in zip(files, parts, strict=True):
        first = seen.setdefault(hashlib.sha256(images.tobytes()).digest(), path)
        if first != path:
            raise BadInput(f"{path}: holds the same images as {first.name}; download it again")


def _shared(folder: Path, data: Cifar10) -> list[str]:
    """Say how many test images are training images, to the last bit; BadInput for too many."""
    known, test = set(map(_digest, data.train_images)), data.val_images
    twice = [i for i, image in enumerate(test) if _digest(image) in known]
    if not twice:
        return []
    said = (
        f"{len(twice):,} of {len(test):,} test images are training images, such as test image "
        f"{twice[0]}"
    )
    if len(twice) > SHARED * len(test):
        raise BadInput(f"{folder}: {said}; download both again")
    return [said]


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def _batch_hashes(images: np.ndarray, labels: np.ndarray) -> Iterator[str]:
    """SHA-1 of each batch as a file of the binary version would hold it."""
    for start in range(0, len(images), PER_BATCH):
        part = slice(start, start + PER_BATCH)
        planes = np.moveaxis(images[part], -1, 1).reshape(-1, RECORD - 1)
        records = np.concatenate([labels[part, None].astype(np.uint8), planes], axis=1)
        yield hashlib.sha1(records.tobytes(), usedforsecurity=False).hexdigest()


def _binary(path: Path) -> Part:
    """The images of a file of the binary version; BadInput if its length is wrong."""
    data = np.fromfile(path, dtype=np.uint8)
    if len(data) % RECORD:
        raise BadInput(
            f"{path}: {len(data):,} bytes are no whole number of records of {RECORD:,}; it is "
            "truncated, or none of CIFAR-10's binary version: download it again"
        )
    records = data.reshape(-1, RECORD)
    planes = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.moveaxis(planes, 1, -1), records[:, 0].astype(np.int64)


def _parquet(path: Path) -> Part:
    """The images of a Parquet file; BadInput if it or a row of it cannot be read."""
    import polars

    try:
        table = polars.read_parquet(path)
    # PanicException is no Exception: polars' Rust code panics at bytes it does not expect.
    except (polars.exceptions.PolarsError, OSError, polars.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(
            f"{path}: cannot be read as Parquet ({reason}); download it again"
        ) from None
    column = next((name for name in ("img", "image") if name in table.columns), None)
    label = table["label"] if "label" in table.columns else None
    if column is None or label is None or not label.dtype.is_integer():
        columns = ", ".join(f"{name} ({kind})" for name, kind in table.schema.items())
        raise BadInput(f"{path}: columns {columns}; must be img or image, and an integer label")
    for name in (column, "label"):
        if table[name].null_count():
            row = table[name].is_null().arg_max()
            raise BadInput(f"{path}: row {row} has no {name}; download it again")
    images = [_png(path, i, cell) for i, cell in enumerate(table[column])]
    shape = (-1, SIDE, SIDE, 3)
    return np.array(images, np.uint8).reshape(shape), label.cast(int).to_numpy().copy()


def _png(path: Path, row: int, cell: dict) -> np.ndarray:
    """The image of a cell, uint8 (32, 32, 3); BadInput if there is none of that size."""
    try:
        image = np.asarray(shown(cell["bytes"]))
    except (Unreadable, TypeError, LookupError) as error:  # or the cell holds no bytes
        raise BadInput(f"{path}: row {row} holds no image of PNG bytes ({error})") from None
    if image.shape != (SIDE, SIDE, 3):
        raise BadInput(f"{path}: row {row} is {image.shape[1]} x {image.shape[0]}, not 32 x 32")
    return image
