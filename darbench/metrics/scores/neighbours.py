"""Nearest neighbours: precision and recall in features, and the nearest training images in pixels.

A matrix of all pairs is made block by block, so that memory does not grow with its size.
"""

import numpy as np
from torch import Tensor

from darbench.records.rules import NEIGHBOURS

BLOCK_VALUES = 2**23  # values in one block: 64 MB in float64
SIDE = 2048  # images on either side of a block of distances, fewer of large ones


def block_rows(columns: int) -> int:
    """How many rows a block with that many columns has."""
    return max(1, BLOCK_VALUES // columns)


def precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Share of generated samples within the real ones' k-neighbourhoods, and the reverse; k = 3.

    Improved precision and recall, Kynkaanniemi et al. 2019 (arXiv:1904.06991).
    """
    # torch-fidelity loads torchvision, and that torch's compiler: not to tell what a trial costs.
    from torch_fidelity.metric_prc import prc_features_to_metric

    scores = prc_features_to_metric(
        generated,
        real,
        prc_neighborhood=NEIGHBOURS,
        prc_batch_size=block_rows(max(len(generated), len(real))),
        save_cpu_ram=True,
        verbose=False,
    )
    return scores["precision"], scores["recall"]


def block_bytes(queries: int, images: int, pixels: int) -> int:
    """Bytes that `nearest_distances` holds: rows of either side, and those squared or doubled."""
    q, x = min(queries, _side(pixels)), min(images, _side(pixels))
    return 8 * pixels * max(2 * x, x + 2 * q)


def _side(pixels: int) -> int:
    """How many images of that many pixels a block has on a side: at most half a GB in float64.

    It is not fewer, for a block's images are turned into float64 once for every block of the
    other side.
    """
    return min(SIDE, block_rows(-(-pixels // 8)))


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
            squared = ((q * q).sum(axis=1)[:, None] + own - 2 * q @ x.T).min(axis=1)
            part = nearest[first : first + side]
            np.minimum(part, squared, out=part)
    return np.sqrt(nearest) / 255
