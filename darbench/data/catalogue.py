"""The datasets by name. A dataset's module is imported when the dataset is loaded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from darbench.data.base import Dataset
from darbench.errors import BadInput, unknown
from darbench.records.protocol import shipped_fingerprint


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A dataset's facts, known without its files; counts are those of the published data.

    The module defines load(**settings) -> Dataset, or load(path, **settings) for data in files.
    """

    name: str
    module: str
    shape: tuple[int, int, int]  # (C, H, W) of an item
    picture_bytes: int
    classes: int = 0  # this and the next three: 0 where the user's files decide
    n_train: int = 0
    n_val: int = 0
    n_references: int = 0
    files: str = ""  # what must lie at the path; empty for data that ship with darbench
    variable: str = ""  # environment variable that gives the shipped tasks the path
    source: str = ""  # where the files come from
    settings: Mapping[str, Any] = field(default_factory=dict)

    def departure(self, data: Dataset) -> str:
        """How these data differ from the published ones, in words.

        Empty if they do not differ, or if nothing of this kind is published.
        """
        if not self.n_train:
            return ""
        differ = [f"{a} {what}, not {b}" for what, a, b in _facts(data, self) if a != b]
        differ = differ or list(filter(None, [data.unpublished()]))
        return f"not the published data: {'; '.join(differ)}" if differ else ""


_KINDS = {
    each.name: each
    for each in (
        Kind(
            name="digits",
            module="digits",
            shape=(1, 8, 8),
            picture_bytes=8 * 8,
            classes=10,
            n_train=1437,
            n_val=360,
            n_references=1437,
        ),
        *(
            Kind(
                name="shapes" if side == 16 else f"shapes-{side}",
                module="shapes",
                shape=(3, side, side),
                picture_bytes=3 * side * side,
                classes=10,
                n_train=2**31,
                n_val=512,
                n_references=2048,
                settings={"side": side},
            )
            for side in (8, 16, 32)
        ),
        *(
            Kind(
                name="photos" if side == 16 else f"photos-{side}",
                module="photos",
                shape=(3, side, side),
                picture_bytes=3 * side * side,
                classes=5,
                n_train=7864,
                n_val=256,
                n_references=2935,
                settings={"side": side},
            )
            for side in (8, 16, 32)
        ),
        Kind(
            name="cifar10",
            module="cifar10",
            shape=(3, 32, 32),
            picture_bytes=3 * 32 * 32,
            classes=10,
            n_train=50_000,
            n_val=10_000,
            n_references=50_000,
            variable="DARBENCH_CIFAR10",
            files="FOLDER of CIFAR-10's binary version, or of its Parquet files",
            source="download the binary version (162 MB) from "
            "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it",
        ),
        Kind(
            name="fashion-mnist",
            module="fashion_mnist",
            shape=(1, 28, 28),
            picture_bytes=28 * 28,
            classes=10,
            n_train=60_000,
            n_val=1000,
            n_references=10_000,
            variable="DARBENCH_FASHION_MNIST",
            files="FOLDER of Fashion-MNIST's four idx files",
            source="download the four files *-ubyte.gz (30 MB) that "
            "https://github.com/zalandoresearch/fashion-mnist names into one folder",
        ),
        Kind(  # ImageNet's training set at 256 x 256; a tenth, at most 2048 images, is held out
            name="latents",
            module="latents",
            shape=(4, 32, 32),
            picture_bytes=3 * 256 * 256,
            classes=1000,
            n_train=1_281_167 - 2048,
            n_val=2048,
            n_references=10_000,
            variable="DARBENCH_IMAGENET_LATENTS",
            files="FOLDER that `darbench prepare imagenet` wrote",
            source="darbench prepare imagenet --vae VAE --data TRAIN --out FOLDER, where VAE is a "
            "copy of stabilityai/sd-vae-ft-ema and TRAIN holds ImageNet's 1000 training folders; "
            "it writes 44 GB",
        ),
        *(
            Kind(
                name=f"image_folder_{side}",
                module="image_folder",
                shape=(3, side, side),
                picture_bytes=3 * side * side,
                files="FOLDER of CLASS/*.png, *.jpg or *.webp",
                settings={"side": side},
                source="lay images out as FOLDER/CLASS/*.png, *.jpg or *.webp",
            )
            for side in (32, 64, 128, 256)
        ),
    )
}


def names() -> list[str]:
    """The names of all datasets, sorted."""
    return sorted(_KINDS)


def published() -> list[Kind]:
    """The datasets in files that shipped tasks use."""
    return [each for each in _KINDS.values() if each.variable]


def from_files(name: str) -> bool:
    """Whether the dataset of that name is read from a path; BadInput if there is no such name."""
    return kind(name).files != ""


def _facts(data: Dataset, published: Kind) -> Iterator[tuple[str, str, str]]:
    """Each fact that can differ: its name, its value here, its published value."""
    yield "items to train on", f"{data.n_train:,}", f"{published.n_train:,}"
    yield "held out", f"{data.n_val:,}", f"{published.n_val:,}"
    yield "classes", f"{data.classes:,}", f"{published.classes:,}"
    yield "values an item", _times(data.shape), _times(published.shape)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


@cache
def load(name: str, path: str = "") -> Dataset:
    """The dataset of that name, read from the path if it is in files; loaded once per process.

    BadInput if there is no such name (the message lists near ones), if there are no such data at
    the path, or if data that ship with darbench are not those of the protocol.
    """
    data_kind = kind(name)
    module = import_module(f"darbench.data.{data_kind.module}")
    if not data_kind.files:
        return _recorded(module.load(**data_kind.settings))
    folder = Path(path)
    if not path or not folder.is_dir():
        given = f"no folder at {path}" if path else "no path is given"
        raise BadInput(f"dataset {name}: {given}; give task.data_path={data_kind.files}")
    return module.load(folder, **data_kind.settings)


def _recorded(data: Dataset) -> Dataset:
    """The data, if their fingerprint is that of the protocol; BadInput otherwise."""
    wanted = shipped_fingerprint(data.name)
    if data.fingerprint != wanted:
        raise BadInput(
            f"dataset {data.name} has fingerprint {data.fingerprint} here, {wanted} in the "
            "protocol: another version of scikit-learn, scikit-image, Pillow or numpy makes other "
            "images"
        )
    return data


def kind(name: str) -> Kind:
    """The facts of the dataset of that name; BadInput with near names if there is no such one."""
    if name not in _KINDS:
        raise unknown("dataset", name, _KINDS)
    return _KINDS[name]
