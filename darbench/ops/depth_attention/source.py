"""A source of a softmax over depth: a sublayer's output, and what all its readers share."""

from typing import NamedTuple

import torch
from torch import Tensor

from darbench.ops.norm import EPS, inverse_rms, wide


class Source(NamedTuple):
    value: Tensor  # v, (B, T, D)
    inv_rms: Tensor | None  # (B, T), may lack its gradient: read it by `key_norm`
    trail: Tensor  # v again, contiguous; each reader returns it anew, see `depth_attention`

    def __add__(self, other: "Source") -> "Source":
        return normed(wide(self.value) + wide(other.value))


def normed(v: Tensor, eps: float = EPS) -> Source:
    return Source(v, inverse_rms(v, eps), v.contiguous())


def null(like: Source) -> Source:
    """Return a source of zeros, whose logit is 0 for any query; it needs no norm."""
    zero = torch.zeros_like(like.trail)
    return Source(zero, zero.new_zeros(zero.shape[:-1], dtype=wide(zero[:0]).dtype), zero)


def key_norm(s: Source) -> Tensor:
    """The inverse RMS of a source, with its gradient."""
    wanted = torch.is_grad_enabled() and s.value.requires_grad
    usable = s.inv_rms is not None and (s.inv_rms.requires_grad or not wanted)
    return s.inv_rms if usable else inverse_rms(s.value)
