"""Procedural two-coloured shapes on a plain ground: RGB, ten classes, endlessly many.

Image number i is drawn from stream(0, "shapes", i) alone and its class is i mod 10. A shape has a
random centre, size and rotation; its two halves have a colour each. Training images are the
numbers in [0, 2^31), validation images the 512 after them. An image is 64 x 64 points: in 16 x 16
pixels, 8 x 8 or 32 x 32 it shows the same. Colours are mixed in whole numbers by the points of a
pixel, so that rounding elsewhere can hardly show.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from darbench.data.base import Dataset
from darbench.data.pixels import to_items
from darbench.randomness import stream

SIDE, POINTS = 16, 64  # pixels and points a side
N_TRAIN, N_VAL, N_REFERENCES = 2**31, 512, 2048
DRAWS = 13  # random numbers an image takes


def disc(x: np.ndarray, y: np.ndarray, radius: float = 1.0) -> np.ndarray:
    return x * x + y * y < radius * radius


def square(x: np.ndarray, y: np.ndarray, half: float = 0.85) -> np.ndarray:
    return (np.abs(x) < half) & (np.abs(y) < half)


def bar(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.abs(x) < 1) & (np.abs(y) < 0.33)


# Which points (x, y) lie in the shape, for a shape of about unit radius.
CLASSES = {
    "disc": disc,
    "ring": lambda x, y: disc(x, y) & ~disc(x, y, 0.55),
    "half disc": lambda x, y: disc(x, y) & (y > -0.1),
    "crescent": lambda x, y: disc(x, y) & ~disc(x, y - 0.55, 0.85),
    "pair": lambda x, y: disc(np.abs(x) - 0.6, y, 0.45),
    "square": square,
    "frame": lambda x, y: square(x, y) & ~square(x, y, 0.45),
    "triangle": lambda x, y: (y > -0.55) & (y < 1.1 - 1.9 * np.abs(x)),
    "bar": bar,
    "cross": lambda x, y: bar(x, y) | bar(y, x),
}


@dataclass(frozen=True)
class Shapes(Dataset):
    """The shapes as a dataset; every image is drawn when it is needed."""

    side: int = SIDE  # pixels; divides POINTS

    classes = len(CLASSES)
    n_train, n_val, n_references = N_TRAIN, N_VAL, N_REFERENCES

    @property
    def name(self) -> str:
        return "shapes" if self.side == SIDE else f"shapes-{self.side}"

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.side, self.side

    def order(self, seed: int, positions: range) -> np.ndarray:
        """Consecutive numbers from a start that the seed decides; every image is a draw of its
        own, so there is nothing to shuffle."""
        start = stream(seed, "data").integers(N_TRAIN)
        return (start + np.asarray(positions)) % N_TRAIN

    def items(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        return to_items(draw(index, self.side)), torch.from_numpy(index % self.classes)

    def val(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        return self.items(N_TRAIN + index)

    @cached_property
    def reference_images(self) -> np.ndarray:
        return draw(np.arange(N_REFERENCES), self.side)

    @property
    def reference_labels(self) -> np.ndarray:
        return np.arange(N_REFERENCES) % self.classes

    @cached_property
    def val_images(self) -> np.ndarray:
        return draw(N_TRAIN + np.arange(N_VAL), self.side)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the reference and validation images, which shows how images are drawn."""
        drawn = self.reference_images.tobytes() + self.val_images.tobytes()
        return hashlib.sha256(drawn).hexdigest()[:16]


def load(side: int = SIDE) -> Shapes:
    return Shapes(side)


def draw(numbers: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The images of those numbers, uint8 (N, side, side, 3)."""
    u = np.stack([stream(0, "shapes", i).random(DRAWS) for i in numbers.tolist()])
    x, y = _own_coordinates(u[:, :4].astype(np.float32))
    inside = np.empty(x.shape, bool)
    for label, holds in enumerate(CLASSES.values()):
        rows = numbers % len(CLASSES) == label
        inside[rows] = holds(x[rows], y[rows])
    ground = (u[:, 4:7] * 96).astype(np.int64)  # dark
    halves = 128 + (u[:, 7:].reshape(-1, 2, 3) * 128).astype(np.int64)  # bright
    one, two = (_covered(inside & half, side) for half in (x < 0, x >= 0))
    return _mixed(one, two, ground, halves, whole=(POINTS // side) ** 2)


def _own_coordinates(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y (N, 64, 64) of every point as the shape sees it, from four numbers in [0, 1)."""
    grid = (np.arange(POINTS, dtype=np.float32) + 0.5) / POINTS * 2 - 1
    size, turn = 0.35 + 0.3 * u[:, 0], 2 * np.pi * u[:, 1]
    centre = (2 * u[:, 2:] - 1) * (0.95 - size)[:, None]  # the shape hardly leaves the image
    across, down = (grid - centre[:, i, None] for i in (0, 1))
    cos, sin = np.cos(turn) / size, np.sin(turn) / size
    x = (cos[:, None] * across)[:, None, :] + (sin[:, None] * down)[:, :, None]
    y = (cos[:, None] * down)[:, :, None] - (sin[:, None] * across)[:, None, :]
    return x, y


def _covered(points: np.ndarray, side: int) -> np.ndarray:
    """How many of each pixel's points are true: bool (N, 64, 64) -> int64 (N, side, side, 1)."""
    cells = points.reshape(-1, side, POINTS // side, side, POINTS // side)
    return cells.sum(axis=(2, 4), dtype=np.int64)[..., None]


def _mixed(
    one: np.ndarray, two: np.ndarray, ground: np.ndarray, halves: np.ndarray, whole: int
) -> np.ndarray:
    """Pixels, uint8 (N, side, side, 3): colours mixed by their numbers of a pixel's `whole`
    points, rounded half up."""
    colour_1, colour_2, rest = (c[:, None, None, :] for c in (*halves.swapaxes(0, 1), ground))
    total = one * colour_1 + two * colour_2 + (whole - one - two) * rest
    return ((total + whole // 2) // whole).astype(np.uint8)
