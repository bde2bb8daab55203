"""A source of a softmax read over depth: a sublayer's output with what all its readers share."""

from typing import NamedTuple

import torch
from torch import Tensor

from darbench.ops.norm import EPS, inverse_rms, wide


class Source(NamedTuple):
    value: Tensor  # v, (B, T, D)
    inv_rms: Tensor | None  # (B, T), of the key norm; use `key_norm`, for it may lack its gradient
    trail: Tensor  # v again, contiguous: each reader hands it on, see `depth_attention`

    def __add__(self, other: "Source") -> "Source":
        return normed(wide(self.value) + wide(other.value))


class Deferred(Source):
    """A source that kernels read: the first of them makes its norm, when v is at hand anyway."""

    __slots__ = ()

    def __add__(self, other: Source) -> "Deferred":
        return deferred(wide(self.value) + wide(other.value))


def normed(v: Tensor, eps: float = EPS) -> Source:
    return Source(v, inverse_rms(v, eps), v.contiguous())


def deferred(v: Tensor) -> Deferred:
    return Deferred(v, None, v.contiguous())


def null(like: Source) -> Source:
    """A source of no size, whose logit is 0 whatever the query; no norm need be computed."""
    zero = torch.zeros_like(like.trail)
    return Source(zero, zero.new_zeros(zero.shape[:-1], dtype=wide(zero[:0]).dtype), zero)


def key_norm(s: Source) -> Tensor:
    """The inverse RMS with its gradient."""
    wanted = torch.is_grad_enabled() and s.value.requires_grad
    known = s.inv_rms is not None and (s.inv_rms.requires_grad or not wanted)
    return s.inv_rms if known else inverse_rms(s.value)
