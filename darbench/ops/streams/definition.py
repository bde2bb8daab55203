"""Parallel residual streams as they are defined; any device, any precision."""

from contextlib import nullcontext

import torch
from torch import Tensor

from darbench.ops.norm import inverse_rms


def mix_streams(weights: Tensor, streams: Tensor) -> Tensor:
    """Return weights (..., R, S) @ streams (..., S, D), (..., R, D).

    It is computed in the streams' own precision, also under autocast, for a residual stream must
    not be rounded at every site.
    """
    device = streams.device.type
    has_autocast = torch.amp.is_autocast_available(device)  # false for the meta device
    with torch.autocast(device, enabled=False) if has_autocast else nullcontext():
        return weights.to(streams.dtype) @ streams


def read_streams(weights: Tensor, streams: Tensor) -> Tensor:
    return mix_streams(weights.unsqueeze(-2), streams).squeeze(-2)


def write_streams(mix: Tensor | None, streams: Tensor, weights: Tensor, v: Tensor) -> Tensor:
    kept = streams if mix is None else mix_streams(mix, streams)
    return kept + weights.unsqueeze(-1) * v.unsqueeze(-2)


def normed_product(x: Tensor, matrix: Tensor, eps: float) -> Tensor:
    return (x * inverse_rms(x, eps).unsqueeze(-1).to(x.dtype)) @ matrix


def hyper_connection(
    streams: Tensor,
    written: tuple[Tensor, Tensor] | None,
    rest: Tensor,
    size: Tensor,
    product: Tensor,
    eps: float,
    squash: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    if written is not None:
        weights, v = written
        mix = weights[..., 1:-1].mT if weights.shape[-1] > 2 else None
        streams = write_streams(mix, streams, weights[..., -1], v)
    raw = normed_product(streams, product, eps)
    weights = rest + size * (torch.tanh(raw) if squash else raw)
    return read_streams(weights[..., 0], streams), streams, weights


def manifold_maps(
    raw: Tensor, size: Tensor, bias: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    parts = [count, count, raw.shape[-1] - 2 * count]
    columns = zip(size.unbind(), raw.split(parts, -1), bias.split(parts), strict=True)
    read, write, logits = (a * x + b for a, x, b in columns)
    return torch.sigmoid(read), 2 * torch.sigmoid(write), logits
