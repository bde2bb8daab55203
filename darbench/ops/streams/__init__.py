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

    weights: (S,) or (B, T, S).
    """
    if not _native(weights, x.value):
        return definition.read_streams(weights, x.value), x
    from darbench.ops.streams import cpu

    h, trail = cpu.Read.apply(weights, x.trail.contiguous())
    return h, x._replace(trail=trail)


def write_streams(mix: Tensor | None, x: Streams, weights: Tensor, v: Tensor) -> Streams:
    """X'_t = sum_s mix_{t,s} X_s + weights_t v.

    mix: (S, S), (B, T, S, S), or None for the identity; weights (S,) or (B, T, S); v (B, T, D).
    """
    v = v.to(x.value.dtype)
    if mix is None or not _native(mix, x.value, weights, v):
        return streams(definition.write_streams(mix, x.value, weights, v))
    from darbench.ops.streams import cpu

    return streams(cpu.Write.apply(mix, x.trail.contiguous(), weights, v.contiguous()))


def normed_product(
    x: Streams, matrix: Tensor, eps: float, *, joint: bool = False
) -> tuple[Tensor, Streams]:
    """RMSNorm(X_s) @ matrix, (D, K), of every stream, (B, T, S, K), and the streams to go on with.

    joint: the streams of a token are one vector, normed as one: matrix (S D, K), (B, T, K).
    """
    shape = x.value.shape[-2:]
    if not _native(x.value, matrix):
        value = x.value.flatten(-2) if joint else x.value
        return definition.normed_product(value, matrix, eps), x
    from darbench.ops.streams.normed_product import NormedProduct

    given = x.trail.contiguous()
    out, trail = NormedProduct.apply(given.flatten(-2) if joint else given, matrix, eps)
    return out, x._replace(trail=trail.unflatten(-1, shape) if joint else trail)


def hyper_connection(
    streams: Tensor, written: tuple[Tensor, Tensor] | None, rest: Tensor, size: Tensor,
    product: Tensor, eps: float, *, squash: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """What happens to the streams between two sublayers: (h, X', W'), from X (B, T, S, D).

        X'_t = sum_s A_r[s, t] X_s + B[t] v,    [A_m | A_r | B] = W, the first of `written`
        W' = rest + size tanh(RMSNorm(X') @ product),    h = sum_s A'_m[s] X'_s

    written: W (B, T, S, K) and v (B, T, D), or None, and X' = X. K is S + 2, or 2: W without A_r,
    which is the identity. rest (S, K), size (K,), product (D, K); squash=False leaves tanh out.
    """
    if written is not None:
        written = written[0], written[1].to(streams.dtype)
    if not _native(streams, rest, size, product, *(written or ())):
        return definition.hyper_connection(streams, written, rest, size, product, eps, squash)
    from darbench.ops.streams.connection import Connection

    streams, rest, *written = (x.contiguous() for x in (streams, rest, *(written or ())))
    return Connection.apply(streams, rest, size, product.mT.contiguous(), eps, squash, *written)


def manifold_maps(
    raw: Tensor, size: Tensor, bias: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """(sigmoid(y_1), 2 sigmoid(y_2), y_3), the three parts of raw (B, T, K), with S = count, S and
    K - 2 S columns, each times its own of size (3,), plus bias (K,)."""
    if not _native(raw, size, bias):
        return definition.manifold_maps(raw, size, bias, count)
    from darbench.ops.streams.maps import Maps

    return Maps.apply(raw.contiguous(), size.contiguous(), bias.contiguous(), count)


def _native(*tensors: Tensor) -> bool:
    return native.takes(*tensors) and not torch.compiler.is_compiling()
