"""Depth attention as it is defined; any device, any precision, any order of derivative."""

from collections.abc import Sequence

import torch
from torch import Tensor

from darbench.ops.depth_attention.source import Source, key_norm


def depth_attention(
    query: Tensor, sources: Sequence[Source], scale: float, heads: int = 1
) -> Tensor:
    """Return h as `darbench.ops.depth_attention.depth_attention` does, without the sources."""
    values, inv_rms = [s.value for s in sources], [key_norm(s) for s in sources]
    if heads == 1:
        return _attend(query, values, inv_rms, scale)
    groups = [v.unflatten(-1, (heads, -1)) for v in values]
    inv_rms = [r.unsqueeze(-1) for r in inv_rms]
    return _attend(query.unflatten(-1, (heads, -1)), groups, inv_rms, scale).flatten(-2)


def _attend(
    query: Tensor, values: Sequence[Tensor], inv_rms: Sequence[Tensor], scale: float
) -> Tensor:
    query = query.to(inv_rms[0].dtype)  # or bfloat16 products would be rounded before the sum
    logits = torch.stack(
        [(query * v).sum(-1, dtype=r.dtype) * r for v, r in zip(values, inv_rms, strict=True)]
    )
    alpha = torch.softmax(scale * logits, dim=0).to(values[0].dtype).unsqueeze(-1)
    out = alpha[0] * values[0]
    for a, v in zip(alpha[1:], values[1:], strict=True):
        out = torch.addcmul(out, a, v)
    return out
