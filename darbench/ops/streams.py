"""Mixing parallel residual streams."""

from contextlib import nullcontext

import torch
from torch import Tensor


def mix_streams(weights: Tensor, streams: Tensor) -> Tensor:
    """weights (..., R, S) @ streams (..., S, D) -> (..., R, D).

    In the streams' own precision, also under autocast: a residual stream rounded at every site
    would no longer be one.
    """
    device = streams.device.type
    has_autocast = torch.amp.is_autocast_available(device)  # the meta device has none
    with torch.autocast(device, enabled=False) if has_autocast else nullcontext():
        return weights.to(streams.dtype) @ streams
