"""Parallel residual streams: read, mix and write them, and what is decided from them.

`definition` says what is computed; on the CPU in float32 native kernels compute it without
copies of the streams. Streams come back from what reads them: their gradients then add up in one
place, as in `darbench.ops.depth_attention`, if every reader takes what the last one handed back.
"""

import torch
from torch import Tensor

from darbench.ops import native
from darbench.ops.streams import definition
from darbench.ops.streams.definition import mix_streams

__all__ = ["mix_streams", "normed_product", "read_streams", "write_streams"]


def read_streams(weights: Tensor, streams: Tensor) -> tuple[Tensor, Tensor]:
    """h = sum_s weights_s X_s, (B, T, D), and the streams X (B, T, S, D).

    weights: (S,) or (B, T, S).
    """
    if not _native(weights, streams):
        return definition.read_streams(weights, streams), streams
    from darbench.ops.streams import cpu

    return cpu.Read.apply(weights, streams.contiguous())


def write_streams(mix: Tensor | None, streams: Tensor, weights: Tensor, v: Tensor) -> Tensor:
    """X'_t = sum_s mix_{t,s} X_s + weights_t v, (B, T, S, D).

    mix: (S, S), (B, T, S, S), or None for the identity; streams (B, T, S, D); weights (S,) or
    (B, T, S), as mix is; v (B, T, D).
    """
    v = v.to(streams.dtype)
    if not _native(weights, streams, v, *(() if mix is None else (mix,))):
        return definition.write_streams(mix, streams, weights, v)
    from darbench.ops.streams import cpu

    if mix is None:
        mix = torch.eye(streams.shape[-2])
    return cpu.Write.apply(mix, streams.contiguous(), weights, v.contiguous())


def normed_product(x: Tensor, matrix: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """RMSNorm(x) @ matrix, (..., F) @ (F, K) -> (..., K), and x; the norm is over all of F."""
    if not _native(x, matrix):
        return definition.normed_product(x, matrix, eps), x
    from darbench.ops.streams import cpu

    return cpu.NormedProduct.apply(x.contiguous(), matrix, eps)


def _native(*tensors: Tensor) -> bool:
    return native.takes(*tensors) and not torch.compiler.is_compiling()
