"""The datasets by name; a module is imported when its dataset is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from darbench.data.base import Dataset
from darbench.errors import BadInput, unknown


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The module defines load(**settings) -> Dataset, of files load(path, **settings)."""

    module: str
    files: str = ""  # what lies at the path, for data that do not ship with darbench
    settings: Mapping[str, Any] = field(default_factory=dict)


_KINDS = {
    "digits": Kind(module="digits"),
    "shapes": Kind(module="shapes"),
    "cifar10": Kind(
        module="cifar10", files="FOLDER of CIFAR-10's binary version, or of its Parquet files"
    ),
    "latents": Kind(module="latents", files="FOLDER that `darbench prepare imagenet` wrote"),
    **{
        f"image_folder_{side}": Kind(
            module="image_folder",
            files="FOLDER of CLASS/*.png or *.jpg",
            settings={"side": side},
        )
        for side in (32, 64, 128, 256)
    },
}


def names() -> list[str]:
    return sorted(_KINDS)


def from_files(name: str) -> bool:
    """Whether the dataset of that name is read from a path; BadInput if there is none."""
    return _kind(name).files != ""


@cache
def load(name: str, path: str = "") -> Dataset:
    """The dataset of that name, read from the path if it is one of files; once per process.

    BadInput if there is no such name, with near ones, or no such data at the path.
    """
    kind = _kind(name)
    module = import_module(f"darbench.data.{kind.module}")
    if not kind.files:
        return module.load(**kind.settings)
    folder = Path(path)
    if not path or not folder.is_dir():
        given = f"no folder at {path}" if path else "no path is given"
        raise BadInput(f"dataset {name}: {given}; give task.data_path={kind.files}")
    return module.load(folder, **kind.settings)


def _kind(name: str) -> Kind:
    if name not in _KINDS:
        raise unknown("dataset", name, _KINDS)
    return _KINDS[name]
