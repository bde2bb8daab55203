"""Mixing parallel residual streams."""

import torch
from torch import Tensor


def mix_streams(weights: Tensor, streams: Tensor) -> Tensor:
    """weights (..., R, S) @ streams (B, T, S, D) -> (B, T, R, D).

    In the streams' own precision, also under autocast: a residual stream rounded at every site
    would no longer be one.
    """
    with torch.autocast(streams.device.type, enabled=False):
        return weights.to(streams.dtype) @ streams
