"""The form of every result: an array whose axes and unit have names."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

AXES = {
    "t": "time: 0 is noise, 1 is data",
    "k": "z_k, what block k hands on; z_0 enters the first block",
    "i": "h_i, what site i reads; the last is the head's",
    "j": "v_j, what site j - 1 hands over; v_0 is the embedding",
    "s": "source of a softmax, in the order in which its read names them",
}


class Measured(NamedTuple):
    """Values, the names of their axes (keys of AXES), their unit and their standard errors."""

    values: np.ndarray
    axes: tuple[str, ...]
    unit: str = "1"
    error: np.ndarray | None = None  # None where values are no means over samples


def mean_of(samples: Tensor, axes: tuple[str, ...], unit: str = "1") -> Measured:
    """The mean over the last axis, independent samples, with its standard error."""
    x = samples.detach().double().cpu().numpy()
    return Measured(x.mean(-1), axes, unit, _error(x))


def root_of(squares: Tensor, axes: tuple[str, ...], unit: str) -> Measured:
    """The root of the mean over the last axis, of each sample's mean square."""
    x = squares.detach().double().cpu().numpy()
    root = np.sqrt(x.mean(-1))
    slope = np.divide(0.5, root, out=np.zeros_like(root), where=root > 0)
    return Measured(root, axes, unit, slope * _error(x))


def _error(x: np.ndarray) -> np.ndarray:
    """The standard error of the mean over the last axis; NaN for a single sample."""
    n = x.shape[-1]
    return x.std(-1, ddof=1) / np.sqrt(n) if n > 1 else np.full(x.shape[:-1], np.nan)
