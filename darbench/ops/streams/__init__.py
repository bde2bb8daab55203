"""Parallel residual streams: how they are read, mixed and written, and weights made from them.

`definition` says what is computed; on the CPU in float32 native kernels compute it without
copies of the streams. A function that reads streams also returns them, and the next reader must
take those: their gradients then add up in one tensor, as in `darbench.ops.depth_attention`, and
that of streams which were written becomes the gradient of those before in the same memory.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from darbench.ops import native
from darbench.ops.streams import definition
from darbench.ops.streams.definition import mix_streams

__all__ = [
    "Streams",
    "hyper_connection",
    "manifold_maps",
    "mix_streams",
    "normed_product",
    "read_streams",
    "streams",
    "write_streams",
]


LANES = 16  # the width of a stream is a multiple


class Streams(NamedTuple):
    value: Tensor  # X, (B, T, S, D)
    trail: Tensor  # X again; only the functions of this module use it, and return it anew


def streams(x: Tensor) -> Streams:
    return Streams(x, x)


def read_streams(weights: Tensor, x: Streams) -> tuple[Tensor, Streams]:
    """Return h = sum_s weights_s X_s, (B, T, D), and the streams to go on with.

    weights: (S,), or what broadcasts to (B, T, S).
    """
    batch, tokens, count, _ = x.value.shape
    weights = _shared_or(weights, (batch, tokens), count)
    if not _native(x.value, weights):
        return definition.read_streams(weights, x.value), x
    from darbench.ops.streams import cpu

    h, trail = cpu.Read.apply(weights, x.trail.contiguous())
    return h, x._replace(trail=trail)


def write_streams(mix: Tensor | None, x: Streams, weights: Tensor, v: Tensor) -> Streams:
    """Return X'_t = sum_s mix_{t,s} X_s + weights_t v.

    mix: (S, S), what broadcasts to (B, T, S, S), or None for the identity; weights (S,), or what
    broadcasts to (B, T, S), as v does to (B, T, D).
    """
    batch, tokens, count, width = x.value.shape
    v = _broadcast(v.to(x.value.dtype), batch, tokens, width)
    weights = _shared_or(weights, (batch, tokens), count)
    if mix is not None:
        mix = _shared_or(mix, (batch, tokens), count, count)
    if mix is None or not _native(x.value, mix, weights, v):
        return streams(definition.write_streams(mix, x.value, weights, v))
    from darbench.ops.streams import cpu

    return Streams(*cpu.Write.apply(mix, x.trail.contiguous(), weights, v.contiguous()))


def normed_product(x: Streams, matrix: Tensor, eps: float) -> tuple[Tensor, Streams]:
    """Return RMSNorm(X) @ matrix, (B, T, K), and the streams to go on with.

    The streams of a token count as one vector (S D,); matrix is (S D, K).
    """
    shape = x.value.shape[-2:]
    matrix = _broadcast(matrix, shape.numel(), matrix.shape[-1])
    if not _native(x.value, matrix):
        return definition.normed_product(x.value.flatten(-2), matrix, eps), x
    from darbench.ops.streams.normed_product import NormedProduct

    out, trail = NormedProduct.apply(x.trail.contiguous(), matrix, eps)
    return out, x._replace(trail=trail)


def hyper_connection(
    x: Streams,
    written: tuple[Tensor, Tensor] | None,
    rest: Tensor,
    size: Tensor,
    product: Tensor,
    eps: float,
    *,
    squash: bool = True,
) -> tuple[Tensor, Streams, Tensor]:
    """Return (h, X', W'): what happens to streams X (B, T, S, D) between two sublayers.

        X'_t = sum_s A_r[s, t] X_s + B[t] v,    [A_m | A_r | B] = W, the first of `written`
        W' = rest + size tanh(RMSNorm(X'_s) @ product),    h = sum_s A'_m[s] X'_s

    written: W (B, T, S, K) and v (B, T, D), or None, then X' = X. K is S + 2, or 2 where W has no
    A_r, which then is the identity. rest (S, K), size (K,), product (D, K); squash=False leaves
    tanh out.
    """
    batch, tokens, count, width = x.value.shape
    columns = product.shape[-1]
    if columns not in (2, count + 2):
        raise ValueError(f"{columns} columns: must be 2, or {count + 2} for {count} streams")
    rest, size = _broadcast(rest, count, columns), _broadcast(size, columns)
    product = _broadcast(product, width, columns)
    if written is not None:
        weights, v = written
        weights = _broadcast(weights, batch, tokens, count, columns)
        written = weights, _broadcast(v.to(x.value.dtype), batch, tokens, width)
    if not _native(x.value, rest, size, product, *(written or ())):
        h, new, weights = definition.hyper_connection(
            x.value, written, rest, size, product, eps, squash
        )
        return h, streams(new), weights
    from darbench.ops.streams.connection import Connection

    given = (y.contiguous() for y in (x.trail, rest, size, product))
    h, trail, weights, *new = Connection.apply(*given, eps, squash, *(written or ()))
    return h, Streams(*(new or [x.value]), trail), weights


def manifold_maps(
    raw: Tensor, size: Tensor, bias: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (sigmoid(y_1), 2 sigmoid(y_2), y_3), of which y_i = size_i raw_i + bias_i.

    raw_1 and raw_2 are the first and the next S = count columns of raw (B, T, K), raw_3 the
    others; size (3,), bias (K,).
    """
    size, bias = _broadcast(size, 3), _broadcast(bias, raw.shape[-1])
    if not native.takes(raw, size, bias) or torch.compiler.is_compiling():
        return definition.manifold_maps(raw, size, bias, count)
    from darbench.ops.streams.maps import Maps

    return Maps.apply(raw.contiguous(), size.contiguous(), bias.contiguous(), count)


def _broadcast(x: Tensor, *shape: int) -> Tensor:
    """Expand x in memory, for kernels read as many numbers as the shape has."""
    return x if x.shape == shape else x.expand(shape)


def _shared_or(weights: Tensor, lead: tuple[int, int], *own: int) -> Tensor:
    """Weights of shape `own`, which all tokens share, or else broadcast to every token."""
    return weights if weights.shape == own else _broadcast(weights, *lead, *own)


def _native(x: Tensor, *others: Tensor) -> bool:
    """Whether the streams x have rows of whole vectors, and the kernels take all tensors."""
    takes = x.shape[-1] % LANES == 0 and native.takes(x, *others)
    return takes and not torch.compiler.is_compiling()
