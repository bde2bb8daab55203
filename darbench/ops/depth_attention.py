"""Depth attention: a softmax over sources at different depths, per token.

This is the definition; faster backends come to stand beside it behind the same signature.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def inverse_rms(v: Tensor, eps: float = 1e-6) -> Tensor:
    """1 / sqrt(mean(v^2) + eps) over the last axis, in float32 or better: (..., D) -> (...)."""
    v = v if v.dtype == torch.float64 else v.float()
    return torch.rsqrt(v.square().mean(-1) + eps)


def depth_attention(
    query: Tensor,
    values: Sequence[Tensor],
    inv_rms: Sequence[Tensor],
    scale: float,
    heads: int = 1,
) -> Tensor:
    """sum_i alpha_i v_i with alpha = softmax_i(scale * q . v_i * inv_rms_i), per token.

    query: broadcasts to (B, T, D); values: J tensors (B, T, D); inv_rms: J tensors (B, T), the
    key norm of each source over all of D. With heads H the channels form H contiguous groups,
    each with a softmax of its own over its part of the dot product. Returns (B, T, D). Logits
    and softmax are float32 or better.
    """
    if heads > 1:
        groups = query.unflatten(-1, (heads, -1)), [v.unflatten(-1, (heads, -1)) for v in values]
        return depth_attention(*groups, [r.unsqueeze(-1) for r in inv_rms], scale).flatten(-2)
    query = query.to(inv_rms[0].dtype)  # a bfloat16 product would be rounded before the sum
    logits = torch.stack(
        [(query * v).sum(-1, dtype=r.dtype) * r for v, r in zip(values, inv_rms, strict=True)]
    )
    alpha = torch.softmax(scale * logits, dim=0).to(values[0].dtype).unsqueeze(-1)
    out = alpha[0] * values[0]
    for a, v in zip(alpha[1:], values[1:], strict=True):
        out = torch.addcmul(out, a, v)
    return out
