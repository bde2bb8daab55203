"""Parallel residual streams: read, mix and write them, and what is decided from them.

`definition` says what is computed; on the CPU in float32 native kernels compute it without
copies of the streams. Streams come back from what reads them, for the next reader to take: their
gradients then add up in one place, as in `darbench.ops.depth_attention`.
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


class Streams(NamedTuple):
    value: Tensor  # X, (B, T, S, D)
    trail: Tensor  # X again, for the functions of this module alone, which hand it on


def streams(x: Tensor) -> Streams:
    return Streams(x, x)


def read_streams(weights: Tensor, x: Streams) -> tuple[Tensor, Streams]:
    """h = sum_s weights_s X_s, (B, T, D), and the streams to go on with.

    weights: (S,), or what broadcasts to (B, T, S).
    """
    batch, tokens, count, _ = x.value.shape
    weights = _shared_or(weights, (batch, tokens), count)
    if not _native(weights, x.value):
        return definition.read_streams(weights, x.value), x
    from darbench.ops.streams import cpu

    h, trail = cpu.Read.apply(weights, x.trail.contiguous())
    return h, x._replace(trail=trail)


def write_streams(mix: Tensor | None, x: Streams, weights: Tensor, v: Tensor) -> Streams:
    """X'_t = sum_s mix_{t,s} X_s + weights_t v.

    mix: (S, S), what broadcasts to (B, T, S, S), or None for the identity; weights (S,), or what
    broadcasts to (B, T, S), as v does to (B, T, D).
    """
    batch, tokens, count, width = x.value.shape
    v = _broadcast(v.to(x.value.dtype), batch, tokens, width)
    weights = _shared_or(weights, (batch, tokens), count)
    if mix is not None:
        mix = _shared_or(mix, (batch, tokens), count, count)
    if mix is None or not _native(mix, x.value, weights, v):
        return streams(definition.write_streams(mix, x.value, weights, v))
    from darbench.ops.streams import cpu

    return streams(cpu.Write.apply(mix, x.trail.contiguous(), weights, v.contiguous()))


def normed_product(x: Streams, matrix: Tensor, eps: float) -> tuple[Tensor, Streams]:
    """RMSNorm(X) @ matrix, (S D, K), of the streams of a token as one vector, (B, T, K), and the
    streams to go on with."""
    shape = x.value.shape[-2:]
    matrix = _broadcast(matrix, shape.numel(), matrix.shape[-1])
    if not _native(x.value, matrix):
        return definition.normed_product(x.value.flatten(-2), matrix, eps), x
    from darbench.ops.streams.normed_product import NormedProduct

    out, trail = NormedProduct.apply(x.trail.contiguous().flatten(-2), matrix, eps)
    return out, x._replace(trail=trail.unflatten(-1, shape))


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
    """What happens to the streams X (B, T, S, D) between two sublayers: (h, X', W').

        X'_t = sum_s A_r[s, t] X_s + B[t] v,    [A_m | A_r | B] = W, the first of `written`
        W' = rest + size tanh(RMSNorm(X'_s) @ product),    h = sum_s A'_m[s] X'_s

    written: W (B, T, S, K) and v (B, T, D), or None, and X' = X. K is S + 2, or 2: W without A_r,
    which is the identity. rest (S, K), size (K,), product (D, K); squash=False leaves tanh out.
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

    given, rest, *written = (y.contiguous() for y in (x.trail, rest, *(written or ())))
    h, new, weights = Connection.apply(
        given, rest, size, product.mT.contiguous(), eps, squash, *written
    )
    return h, streams(new), weights


def manifold_maps(
    raw: Tensor, size: Tensor, bias: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """(sigmoid(y_1), 2 sigmoid(y_2), y_3): of raw (B, T, K) the first S = count columns, the next
    S and the others are each multiplied by their own of size (3,), and bias (K,) is added."""
    size, bias = _broadcast(size, 3), _broadcast(bias, raw.shape[-1])
    if not _native(raw, size, bias):
        return definition.manifold_maps(raw, size, bias, count)
    from darbench.ops.streams.maps import Maps

    return Maps.apply(raw.contiguous(), size.contiguous(), bias.contiguous(), count)


def _broadcast(x: Tensor, *shape: int) -> Tensor:
    """Kernels read as many numbers as that shape has, whatever is there."""
    return x if x.shape == shape else x.expand(shape)


def _shared_or(weights: Tensor, lead: tuple[int, int], *own: int) -> Tensor:
    """Weights that all tokens share, of shape `own`, or else broadcast to every token's."""
    return weights if weights.shape == own else _broadcast(weights, *lead, *own)


def _native(*tensors: Tensor) -> bool:
    return native.takes(*tensors) and not torch.compiler.is_compiling()
