"""Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747) from a local folder: grey, ten classes.

The four idx files are read, packed (.gz) or not. An idx file begins with two zero bytes, the type
of its values (8: bytes) and the number of its dimensions, then each dimension as four bytes, the
largest first; the values follow. MIT licence.

Trained on are all 60 000 training images, 28 x 28. Held out are the first 1000 of the 10 000 test
images, for all of them would take longer than a short training; references are the first 1000 of
each class.
"""

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darbench.data.pixels import Pixels
from darbench.errors import BadInput

SIDE, CLASSES = 28, 10
N_VAL, PER_CLASS = 1000, 1000
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
# MD5 of the packed files, as published with them. KMNIST and MNIST have files of the same names.
PUBLISHED = {
    "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
}


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(Pixels):
    """The images, and which of their files are not the published ones."""

    others: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def unpublished(self) -> str:
        return f"{', '.join(self.others)} by the MD5" if self.others else ""


def load(folder: Path) -> FashionMNIST:
    """Fashion-MNIST from a folder of the four files; BadInput names one that is missing, damaged,
    or of other sizes than the others."""
    found = {name: _find(folder, name) for pair in FILES.values() for name in pair}
    (images, labels), (val_images, val_labels) = (
        _part(*(found[name] for name in pair)) for pair in FILES.values()
    )
    packed = {name: path for name, path in found.items() if path.suffix == ".gz"}
    unpacked = len(found) - len(packed)
    first = [np.flatnonzero(labels == label)[:PER_CLASS] for label in range(CLASSES)]
    return FashionMNIST(
        name="fashion-mnist",
        classes=CLASSES,
        train_images=images,
        train_labels=labels,
        val_images=val_images[:N_VAL],
        val_labels=val_labels[:N_VAL],
        references=np.sort(np.concatenate(first)),
        others=tuple(name for name, path in packed.items() if _md5(path) != PUBLISHED[name]),
        remarks=(f"{unpacked} unpacked files, of which no hash is published",) * bool(unpacked),
    )


def _find(folder: Path, name: str) -> Path:
    """The file of that name in the folder, the packed one if both are there."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise BadInput(f"fashion-mnist: no {name}.gz and no {name} in {folder}; download it again")


def _part(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 28, 28, 1) and labels int64 (N,) of two files that belong together."""
    pictures, classes = _idx(images, 3), _idx(labels, 1).astype(np.int64)
    if pictures.shape[1:] != (SIDE, SIDE):
        height, width = pictures.shape[1:]
        raise BadInput(f"{images}: images of {width} x {height}, not of {SIDE} x {SIDE}")
    if len(pictures) != len(classes):
        raise BadInput(
            f"{labels}: {len(classes):,} labels, but {images.name} has {len(pictures):,} images"
        )
    if not len(classes) or classes.max() >= CLASSES:
        least = f"label {classes.max()}" if len(classes) else "no labels"
        raise BadInput(f"{labels}: {least}; must be 0 to {CLASSES - 1}, at least one")
    return pictures[..., None], classes


def _idx(path: Path, dimensions: int) -> np.ndarray:
    """The bytes in an idx file as an array of so many dimensions."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: cannot be unpacked ({error}); download it again") from None
    head = 4 + 4 * dimensions
    magic = bytes([0, 0, 8, dimensions])
    if len(data) < head or data[:4] != magic:
        raise BadInput(
            f"{path}: begins with {data[:4].hex()}, an idx file of {dimensions} dimensions with "
            f"{magic.hex()}; download it again"
        )
    shape = struct.unpack(f">{dimensions}I", data[4:head])
    if len(data) - head != np.prod(shape, dtype=object):
        sizes = " x ".join(map(str, shape))
        raise BadInput(
            f"{path}: {len(data) - head:,} bytes of values, not {sizes}; it is truncated or "
            "damaged: download it again"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
