"""CIFAR-10 (Krizhevsky, 2009) from a local folder: 32 x 32 RGB, 10 classes, 50 000 and 10 000.

Two published forms are read: the binary version (data_batch_*.bin and test_batch.bin; a record is
the label's byte and 3072 of the red, the green and the blue plane), and Parquet as on the Hugging
Face hub (*train*.parquet and *test*.parquet; PNG bytes in the column img or image, and label).
The pickled "python version" is not read: a pickle can run code.
"""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from darbench.data.image_file import UNREADABLE
from darbench.data.pixels import Pixels
from darbench.errors import BadInput

SIDE, CLASSES = 32, 10
RECORD = 1 + 3 * SIDE * SIDE  # bytes
FORMS = (
    "the folder of data_batch_*.bin and test_batch.bin, or of *train*.parquet and *test*.parquet"
)
BATCHES = 5  # files that the binary version's training part comes in
TRAIN = (f"data_batch_[1-{BATCHES}].bin", "*train*.parquet")
TEST = ("test_batch.bin", "*test*.parquet")

Part = tuple[np.ndarray, np.ndarray]  # images uint8 (N, 32, 32, 3), labels int64 (N,)


def load(folder: Path) -> Pixels:
    """CIFAR-10 from a folder in either form.

    BadInput names a file that is missing, truncated, from another copy or of another shape.
    """
    train, test = _files(folder, "training", TRAIN), _files(folder, "test", TEST)
    if (train[0].parent, train[0].suffix) != (test[0].parent, test[0].suffix):
        raise BadInput(
            f"cifar10: training files such as {train[0]}, but test files such as {test[0]}; give "
            f"one copy: {FORMS}"
        )
    _of_one_length([path for path in train + test if path.suffix == ".bin"])
    (train_images, train_labels), (val_images, val_labels) = _read(train), _read(test)
    return Pixels(
        name="cifar10",
        classes=CLASSES,
        train_images=train_images,
        train_labels=train_labels,
        val_images=val_images,
        val_labels=val_labels,
    )


def _files(folder: Path, part: str, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a part: those that match the first pattern with any match, in one folder.

    They may lie in a folder within, as in the archive and on the hub; the first one counts.
    """
    found = next(filter(None, (_matching(folder, pattern) for pattern in patterns)), None)
    if not found:
        pickled = next(folder.rglob("data_batch_1"), None)
        hint = f" ({pickled} is of the pickled version, which is not read)" if pickled else ""
        raise BadInput(f"cifar10: no {part} files in {folder}{hint}; it must hold {FORMS}")
    here = [path for path in found if path.parent == found[0].parent]
    missing = {name for path in here for name in _beside(path.name)} - {p.name for p in here}
    if missing:
        raise BadInput(
            f"{here[0].parent / min(missing)}: missing, though {here[-1].name} is there; "
            "download it again"
        )
    return here


def _matching(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def _beside(name: str) -> list[str]:
    """Names of all files of the numbered set that this name belongs to; empty if to none."""
    if name.startswith("data_batch_"):
        return [f"data_batch_{i}.bin" for i in range(1, BATCHES + 1)]
    if shard := re.fullmatch(r"(.*-)\d{5}(-of-(\d{5})\.parquet)", name):
        return [f"{shard[1]}{i:05d}{shard[2]}" for i in range(int(shard[3]))]
    return []


def _of_one_length(batches: list[Path]) -> None:
    """BadInput names a batch that is shorter than others, as one that lacks its last images is."""
    sizes = {path: path.stat().st_size for path in batches}
    for path, size in sizes.items():
        if size < max(sizes.values()):
            longest = max(sizes, key=sizes.__getitem__)
            raise BadInput(
                f"{path}: truncated: {size:,} bytes, but {longest.name} has {sizes[longest]:,}; "
                "download it again"
            )


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
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


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
        image = np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB"))
    except UNREADABLE as error:  # or the cell holds no bytes
        raise BadInput(f"{path}: row {row} holds no image of PNG bytes ({error})") from None
    if image.shape != (SIDE, SIDE, 3):
        raise BadInput(f"{path}: row {row} is {image.shape[1]} x {image.shape[0]}, not 32 x 32")
    return image
