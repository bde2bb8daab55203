"""Images in FOLDER/CLASS/*.png or *.jpg, read as they are needed; a tenth is held out.

Centre crop as in ADM (Dhariwal and Nichol, arXiv:2105.05233; guided-diffusion's
`center_crop_arr`), and half of what a run sees is mirrored, as there.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from darbench.data.base import Dataset, split
from darbench.data.damage import UNREADABLE
from darbench.data.pixels import to_items
from darbench.errors import BadInput
from darbench.randomness import stream
from darbench.records.canonical import content_hash
from darbench.records.rules import MOST_REFERENCES

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The images of a folder of class folders, in the order of their names."""

    path: Path
    class_names: tuple[str, ...]
    files: tuple[str, ...]  # relative to the path
    labels: np.ndarray  # int64 (N,)

    def pictures(self, index: np.ndarray, side: int) -> np.ndarray:
        """uint8 (len(index), side, side, 3)"""
        return np.stack([picture(self.path / self.files[i], side) for i in index])

    def listing(self, index: np.ndarray) -> str:
        """Hash of these files' names and sizes: whether they are still the same, at a glance."""
        names = (self.files[i] for i in index)
        return content_hash([[name, (self.path / name).stat().st_size] for name in names])

    def fingerprint(self) -> str:
        """Hash of every file's name and bytes; reads them all."""
        digest = hashlib.sha256()
        for name in self.files:
            digest.update(hashlib.sha256((self.path / name).read_bytes()).digest())
            digest.update(name.encode(errors="surrogateescape") + b"\0")  # as it lies on disk
        return digest.hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Dataset):
    folder: Folder
    side: int

    @property
    def name(self) -> str:
        return f"image_folder_{self.side}"

    @property
    def classes(self) -> int:
        return len(self.folder.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.side, self.side

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        return split(len(self.folder.files))

    @property
    def n_train(self) -> int:
        return len(self._split[0])

    @property
    def n_val(self) -> int:
        return len(self._split[1])

    @property
    def n_references(self) -> int:
        return min(self.n_train, MOST_REFERENCES)

    @cached_property
    def fingerprint(self) -> str:
        return content_hash([self.side, self.folder.fingerprint()])

    @cached_property
    def reference_images(self) -> np.ndarray:
        """The first training images of the split's random order."""
        return self.folder.pictures(self._split[0][: self.n_references], self.side)

    @cached_property
    def val_images(self) -> np.ndarray:
        return self.folder.pictures(self._split[1], self.side)

    def items(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        files = self._split[0][index]
        pictures = self.folder.pictures(files, self.side)
        return to_items(pictures), torch.from_numpy(self.folder.labels[files])

    def train(self, seed: int, positions: range) -> tuple[Tensor, Tensor]:
        x, label = super().train(seed, positions)
        mirrored = [stream(seed, "mirror", p).random() < 0.5 for p in positions]
        return torch.where(torch.tensor(mirrored).view(-1, 1, 1, 1), x.flip(-1), x), label

    def val(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        labels = self.folder.labels[self._split[1][index]]
        return to_items(self.val_images[index]), torch.from_numpy(labels)


def load(path: Path, side: int) -> ImageFolder:
    """BadInput if there are too few images to hold any out."""
    folder = find(path)
    if len(folder.files) < 10:
        raise BadInput(
            f"{path}: {len(folder.files)} images; a tenth is held out, so give 10 or more"
        )
    return ImageFolder(folder=folder, side=side)


def find(path: Path) -> Folder:
    """The images there are; BadInput where a class has none, or there is no class."""
    classes = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise BadInput(f"{path}: no class folders; images must lie in FOLDER/CLASS/*.png or *.jpg")
    files, labels = [], []
    for label, folder in enumerate(classes):
        found = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES)
        if not found:
            raise BadInput(f"{folder}: a class without images; known are {', '.join(SUFFIXES)}")
        files += [p.relative_to(path).as_posix() for p in found]
        labels += [label] * len(found)
    names = tuple(p.name for p in classes)
    return Folder(path=path, class_names=names, files=tuple(files), labels=np.array(labels))


def picture(path: Path, side: int) -> np.ndarray:
    """uint8 (side, side, 3) of an image file; BadInput if it cannot be read."""
    try:
        with Image.open(path) as image:
            whole = image.convert("RGB")
    except UNREADABLE as error:
        raise BadInput(
            f"{path}: cannot be read as an image ({error}); put a whole copy in its place"
        ) from None
    return centre_crop(whole, side)


def centre_crop(image: Image.Image, side: int) -> np.ndarray:
    """ADM's: halve with a box filter while both sides stay twice too large, then bicubic."""
    while min(image.size) >= 2 * side:
        image = image.resize(tuple(x // 2 for x in image.size), Image.Resampling.BOX)
    scale = side / min(image.size)
    image = image.resize(tuple(round(x * scale) for x in image.size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]
