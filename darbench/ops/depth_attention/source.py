"""A source of a softmax read over depth: a sublayer's output with what all its readers share."""

from typing import NamedTuple

import torch
from torch import Tensor

from darbench.ops.depth_attention.backends import takes

EPS = 1e-6


class Source(NamedTuple):
    value: Tensor  # v, (B, T, D)
    # (B, T), of the key norm; use `key_norm`, for it may lack its gradient, or still be to come:
    # kernels compute it with the first read, when v is at hand anyway.
    inv_rms: Tensor | None
    trail: Tensor  # v again, contiguous: each reader hands it on, see `depth_attention`

    def __add__(self, other: "Source") -> "Source":
        return source(_wide(self.value) + _wide(other.value))


def _wide(v: Tensor) -> Tensor:
    """float32 or better: a running sum rounded at every site would no longer be one."""
    return v if v.dtype == torch.float64 else v.float()


def source(v: Tensor, eps: float = EPS) -> Source:
    """v (B, T, D) as a source; the definition's readers share the inverse RMS made here."""
    trail = v.contiguous()
    if not takes(v) or eps != EPS:
        return Source(v, inverse_rms(v, eps), trail)
    return Source(v, None, trail)


def null(like: Source) -> Source:
    """A source of no size, whose logit is 0 whatever the query; no norm need be computed."""
    zero = torch.zeros_like(like.trail)
    return Source(zero, zero.new_zeros(zero.shape[:-1], dtype=_wide(zero[:0]).dtype), zero)


def inverse_rms(v: Tensor, eps: float = EPS) -> Tensor:
    """1 / sqrt(mean(v^2) + eps) over the last axis, in float32 or better: (..., D) -> (...)."""
    return torch.rsqrt(_wide(v).square().mean(-1) + eps)


def key_norm(s: Source) -> Tensor:
    """The inverse RMS with its gradient."""
    wanted = torch.is_grad_enabled() and s.value.requires_grad
    known = s.inv_rms is not None and (s.inv_rms.requires_grad or not wanted)
    return s.inv_rms if known else inverse_rms(s.value)
