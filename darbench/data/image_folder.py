"""Images in class folders, read as they are needed; a tenth is held out.

Images are cropped as in ADM, and half of those that a run sees are mirrored, as there.
`darbench.data.shown` says how a file becomes pixels, `darbench.data.folder` which files count.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from darbench.data.base import Dataset, split
from darbench.data.folder import Folder, Survey, find, in_words
from darbench.data.pixels import to_items
from darbench.data.shown import READING
from darbench.errors import BadInput
from darbench.listener import CountListener
from darbench.randomness import stream
from darbench.records.canonical import content_hash
from darbench.records.rules import MOST_REFERENCES


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
    def _survey(self) -> Survey:
        return self.folder.survey(range(len(self.folder.files)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of every file's name and bytes, and of how they are read; reads them all."""
        digest = hashlib.sha256()
        for name, content in zip(self.folder.files, self._survey.digests, strict=True):
            digest.update(content)
            digest.update(name.encode(errors="surrogateescape") + b"\0")  # as it lies on disk
        return content_hash([self.side, READING, digest.hexdigest()[:16]])

    @property
    def remarks(self) -> list[str]:
        digests, held = self._survey.digests, {self._survey.digests[i] for i in self._split[1]}
        classes: dict[bytes, set[int]] = {}
        for digest, label in zip(digests, self.folder.labels.tolist(), strict=True):
            classes.setdefault(digest, set()).add(label)
        twins = {
            "to train on and held out too": sum(digests[i] in held for i in self._split[0]),
            "in more than one class": sum(len(classes[digest]) > 1 for digest in digests),
        }
        return [*in_words(self._survey.treated), *in_words(twins), *self.folder.remarks]

    def verify(self, listener: CountListener) -> None:
        """Decode every picture; BadInput names the first that cannot be."""
        n = len(self.folder.files)
        for i in range(n):
            listener(i, n, "" if i else f"decoding the images of {self.folder.path}")
            self.folder.pictures(np.array([i]), self.side)
        listener(n, n, "")

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
