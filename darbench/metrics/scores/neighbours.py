"""Nearest neighbours: precision and recall in features, and the nearest training images in pixels.

A matrix of all pairs is made block by block, so that memory does not grow with its size.
"""

import numpy as np
import torch
from torch import Tensor

from darbench.records.rules import NEIGHBOURS

BLOCK_VALUES = 2**23  # the most values in one block: 64 MB in float64
ROWS = 256  # the most in a block, of which one of few columns stays in the cache
SIDE = 2048  # images on either side of a block of distances, fewer of large ones


def block_rows(columns: int) -> int:
    """How many rows a block with that many columns has."""
    return max(1, min(ROWS, BLOCK_VALUES // columns))


def radii(features: Tensor) -> Tensor:
    """Distance (N,) of each row of features (N, d) to its k-th nearest among the others, k = 3."""
    return torch.cat(
        [
            # A row is its own nearest.
            torch.cdist(part, features).topk(NEIGHBOURS + 1, largest=False).values[:, -1]
            for part in features.split(block_rows(len(features)))
        ]
    )


def precision_recall(generated: Tensor, real: Tensor, real_radii: Tensor) -> tuple[float, float]:
    """Share of generated samples within the real ones' k-neighbourhoods, and the reverse; k = 3.

    Improved precision and recall, Kynkaanniemi et al. 2019 (arXiv:1904.06991), as torch-fidelity
    computes them; that finds the neighbours of the real ones anew for every set of samples.

    real_radii: `radii` of the real features.
    """
    return _covered(generated, real, real_radii), _covered(real, generated, radii(generated))


def _covered(points: Tensor, centres: Tensor, reach: Tensor) -> float:
    """Share of the points that lie within the reach (M,) of one of the centres (M, d)."""
    inside = [
        (torch.cdist(part, centres) <= reach).any(dim=1)
        for part in points.split(block_rows(len(centres)))
    ]
    return torch.cat(inside).float().mean().item()


def block_bytes(queries: int, images: int, pixels: int) -> int:
    """Bytes that `nearest_distances` holds: rows of either side, and those squared or doubled."""
    q, x = min(queries, _side(pixels)), min(images, _side(pixels))
    return 8 * pixels * max(2 * x, x + 2 * q)


def _side(pixels: int) -> int:
    """How many images of that many pixels a block has on a side: at most half a GB in float64.

    It is not fewer, for a block's images are turned into float64 once for every block of the
    other side.
    """
    return max(1, min(SIDE, BLOCK_VALUES // -(-pixels // 8)))


def nearest_distances(queries: np.ndarray, images: np.ndarray) -> np.ndarray:
    """L2 distance (Q,) of each row of uint8 (Q, P) to the nearest row of (N, P), for pixels / 255.

    Exact: in float64 |q|^2 - 2 q.x + |x|^2 of whole numbers is a whole number. Holds some rows of
    either side and their distances at a time, 50 000 by 50 000 images of any size included.
    """
    side = _side(queries.shape[1])
    nearest = np.full(len(queries), np.inf)
    for start in range(0, len(images), side):
        x = images[start : start + side].astype(np.float64)
        own = (x * x).sum(axis=1)
        for first in range(0, len(queries), side):
            q = queries[first : first + side].astype(np.float64)
            size = (q * q).sum(axis=1)
            q *= -2
            squared = q @ x.T
            squared += own
            part = nearest[first : first + side]
            np.minimum(part, squared.min(axis=1) + size, out=part)
    return np.sqrt(nearest) / 255
