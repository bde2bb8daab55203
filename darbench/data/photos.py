"""Crops of seven colour photographs that ship inside scikit-image and scikit-learn.

A crop is 32 x 32 pixels of a photograph at its full resolution, shown as 16 x 16, or 8 x 8 or 32 x
32, by the mean of whole blocks: crop i shows the same scene at every side. Its label is its
photograph. Two photographs are kept apart as wholes. Of the five others crops at random places are
held out, and the crops to train on lie on a grid, those left out that share a pixel with one held
out. As many references come from each photograph as from the smallest.

Public domain or CC0: astronaut (NASA), chelsea (Stefan van der Walt), coffee (Rachel Michetti),
rocket (SpaceX). CC BY 2.0: china (danielbuechele on Flickr), flower (vultilion on Flickr).
Motorcycle is of the Middlebury stereo data of 2014 (Scharstein et al.); its other view shows the
same scene and is left out. So are photographs in grey and through microscopes or telescopes.
"""

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from darbench.data.pixels import Pixels, to_items
from darbench.data.shown import shown
from darbench.randomness import stream

SIDE, CROP, STRIDE = 16, 32, 8  # pixels of a picture, of a crop, between crops to train on
N_VAL, N_APART = 256, 256
LEARNT = {
    "astronaut": ("scikit-image", "skimage/data/astronaut.png"),
    "chelsea": ("scikit-image", "skimage/data/chelsea.png"),
    "coffee": ("scikit-image", "skimage/data/coffee.png"),
    "motorcycle": ("scikit-image", "skimage/data/motorcycle_left.png"),
    "china": ("scikit-learn", "sklearn/datasets/images/china.jpg"),
}
APART = {
    "rocket": ("scikit-image", "skimage/data/rocket.jpg"),
    "flower": ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
}


@dataclass(frozen=True, kw_only=True)
class Photos(Pixels):
    """The crops as a dataset, with crops of whole photographs apart."""

    apart_images: np.ndarray

    def apart(self) -> tuple[Tensor, Tensor]:
        return to_items(self.apart_images), torch.full((len(self.apart_images),), self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the training and held-out crops, the choice of references, and those apart."""
        others = self.references.tobytes() + self.apart_images.tobytes()
        return hashlib.sha256(super().fingerprint.encode() + others).hexdigest()[:16]


def load(side: int = SIDE) -> Photos:
    """The crops as pictures of that side, which divides 32."""
    learnt, apart = ([photograph(*at) for at in part.values()] for part in (LEARNT, APART))
    held = random_places(learnt, N_VAL, "held out")
    train = disjoint(grid(learnt), held)
    return Photos(
        name="photos" if side == SIDE else f"photos-{side}",
        classes=len(LEARNT),
        train_images=pictures(learnt, train, side),
        train_labels=train[:, 0],
        val_images=pictures(learnt, held, side),
        val_labels=held[:, 0],
        apart_images=pictures(apart, random_places(apart, N_APART, "apart"), side),
        references=balanced(train[:, 0]),
    )


@cache
def photograph(package: str, path: str) -> np.ndarray:
    """A photograph within an installed package, uint8 (H, W, 3)."""
    data = Path(distribution(package).locate_file(path)).read_bytes()
    return np.asarray(shown(data))


def grid(photographs: list[np.ndarray]) -> np.ndarray:
    """All places of crops at a stride, int64 (N, 3): photograph, top, left."""
    parts = []
    for i, each in enumerate(photographs):
        top, left = (np.arange(0, n - CROP + 1, STRIDE) for n in each.shape[:2])
        parts.append(np.stack(np.meshgrid([i], top, left, indexing="ij"), -1).reshape(-1, 3))
    return np.concatenate(parts)


def random_places(photographs: list[np.ndarray], n: int, name: str) -> np.ndarray:
    """n places of crops, int64 (n, 3), drawn evenly from all there are at any pixel."""
    sizes = np.array([each.shape[:2] for each in photographs]) - CROP + 1
    ends = np.cumsum(sizes.prod(axis=1))
    drawn = stream(0, "photos", name).integers(ends[-1], size=n)
    which = np.searchsorted(ends, drawn, side="right")
    top, left = np.divmod(ends[which] - 1 - drawn, sizes[which, 1])
    return np.stack([which, top, left], axis=1)


def disjoint(places: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The places whose crops share no pixel with those held out."""
    apart = np.abs(places[:, None] - held)
    touches = (apart[..., 0] == 0) & (apart[..., 1:] < CROP).all(axis=-1)
    return places[~touches.any(axis=1)]


def pictures(photographs: list[np.ndarray], places: np.ndarray, side: int) -> np.ndarray:
    """The crops at those places as pictures, uint8 (N, side, side, 3): means of blocks, rounded
    half up."""
    k = CROP // side
    made = np.empty((len(places), side, side, 3), np.uint8)
    for i, (which, top, left) in enumerate(places.tolist()):
        crop = photographs[which][top : top + CROP, left : left + CROP]
        total = crop.reshape(side, k, side, k, 3).sum(axis=(1, 3), dtype=np.uint16)
        made[i] = (total + k * k // 2) // (k * k)
    return made


def balanced(labels: np.ndarray) -> np.ndarray:
    """Indices of equally many items of each label, in ascending order."""
    order = stream(0, "photos", "references").permutation(len(labels))
    share = np.bincount(labels).min()
    each = (order[labels[order] == label][:share] for label in range(labels.max() + 1))
    return np.sort(np.concatenate(list(each)))
