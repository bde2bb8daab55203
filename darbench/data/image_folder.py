"""Images in FOLDER/CLASS/*.png or *.jpg, read as they are needed; a tenth is held out.

Images are cropped as in ADM, and half of those that a run sees are mirrored, as there.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from darbench.data.base import Dataset, split
from darbench.data.image_file import SUFFIXES, read_square
from darbench.data.pixels import to_items
from darbench.errors import BadInput
from darbench.randomness import stream
from darbench.records.canonical import content_hash
from darbench.records.rules import MOST_REFERENCES


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The image files in a folder of class folders, in the order of their names."""

    path: Path
    class_names: tuple[str, ...]
    files: tuple[str, ...]  # relative to the path
    labels: np.ndarray  # int64 (N,)

    def pictures(self, index: np.ndarray, side: int) -> np.ndarray:
        """Images cropped to squares, uint8 (len(index), side, side, 3)."""
        return np.stack([read_square(self.path / self.files[i], side) for i in index])

    def listing(self, index: np.ndarray) -> str:
        """Hash of these files' names and sizes: a quick check that they are still the same."""
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
    """A folder of images as a dataset of squares, read from disk at every use."""

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
    """The images in a folder; BadInput if there are too few to hold any out."""
    folder = find(path)
    if len(folder.files) < 10:
        raise BadInput(
            f"{path}: {len(folder.files)} images; a tenth is held out, so give 10 or more"
        )
    return ImageFolder(folder=folder, side=side)


def find(path: Path) -> Folder:
    """The image files in a folder; BadInput if there is no class or a class has no image."""
    classes = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise BadInput(f"{path}: no class folders; images must lie in FOLDER/CLASS/*.png or *.jpg")
    files, labels = [], []
    for label, folder in enumerate(classes):
        images = sorted(
            p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES
        )
        if not images:
            raise BadInput(f"{folder}: a class without images; known are {', '.join(SUFFIXES)}")
        files += [p.relative_to(path).as_posix() for p in images]
        labels += [label] * len(images)
    names = tuple(p.name for p in classes)
    return Folder(path=path, class_names=names, files=tuple(files), labels=np.array(labels))
