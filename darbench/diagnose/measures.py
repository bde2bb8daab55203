"""What the weights of reads over depth say in few numbers, the same for every variant."""

import numpy as np

from darbench.diagnose.measured import Measured


def matrix_measures(matrix: Measured) -> dict[str, Measured]:
    """The measures of |A| / sum |A|, from a routing matrix (t, i, j)."""
    sites, outputs = matrix.values.shape[1:]
    return _measures("routing", matrix.values, np.broadcast_to(range(outputs), (sites, outputs)))


def softmax_measures(weights: Measured, source: Measured) -> dict[str, Measured]:
    """The measures of softmax weights (t, i, s) of sources (i, s).

    The look-back leaves out what is on sources that are made of no output. Without weights in a
    row, all is NaN there.
    """
    return _measures("softmax", weights.values, source.values)


def _measures(name: str, weights: np.ndarray, outputs: np.ndarray) -> dict[str, Measured]:
    p = shares(weights)
    return {
        f"{name}_entropy": Measured(entropy(p), ("t", "i"), "nat"),
        f"{name}_effective": Measured(np.exp(entropy(p)), ("t", "i"), "sources"),
        f"{name}_lookback": Measured(lookback(p, outputs), ("t", "i"), "sublayers"),
        f"{name}_variation": Measured(variation(p), ("i",)),
    }


def shares(weights: np.ndarray) -> np.ndarray:
    """|w| / sum |w| over the last axis, 0 for NaN; NaN where all are 0."""
    size = np.nan_to_num(np.abs(weights))
    total = size.sum(-1, keepdims=True)
    return np.divide(size, total, out=np.full_like(size, np.nan), where=total > 0)


def entropy(p: np.ndarray) -> np.ndarray:
    """-sum p ln p over the last axis, in nat; exp of it is the effective number of sources."""
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return -(p * logs).sum(-1) + 0.0  # + 0.0: not -0.0


def lookback(p: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Mean of i - j in sublayers over the shares p (t, i, s) of outputs j (i, s): 0 is the newest.

    A share of j = -1 is of no output and does not count.
    """
    known = np.where(outputs >= 0, p, 0)
    distance = np.arange(len(outputs))[:, None] - outputs
    total = known.sum(-1)
    mean = (known * distance).sum(-1)
    return np.divide(mean, total, out=np.full_like(total, np.nan), where=total > 0)


def variation(p: np.ndarray) -> np.ndarray:
    """Total variation of the shares p (t, i, s) from the first time to the last, (i,).

    Each step between neighbouring times counts half the sum of absolute differences, at most 1.
    """
    return np.abs(np.diff(p, axis=0)).sum(-1).sum(0) / 2
