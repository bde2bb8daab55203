"""Arrays as small numbers, for a page that is to be mailed: equal steps between two ends."""

from typing import NamedTuple

import numpy as np

COARSE, FINE = 255, 65535  # the code of a missing value; the highest of others is one less


class Quantised(NamedTuple):
    """Codes, and the values of the lowest and the highest of them.

    A value differs by half a step at most from what its code stands for,
    (high - low) / (top - 1) / 2, and of a logarithm by that in its own logarithm.
    """

    data: bytes  # one byte a value, or the low bytes of all and then the high ones
    low: float
    high: float


def quantised(values: np.ndarray, top: int) -> Quantised:
    """Code values in steps of (high - low) / (top - 1); NaN is `top`."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    step = (high - low) / (top - 1) or 1.0
    codes = np.full(values.size, top)
    flat = values.ravel()
    codes[np.isfinite(flat)] = np.rint((known - low) / step)
    planes = codes.astype("<u2").view(np.uint8).reshape(-1, 2).T
    return Quantised(planes[: 1 if top == COARSE else 2].tobytes(), low, high)
