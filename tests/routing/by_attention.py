"""Softmax reads over depth by torch's own attention."""

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention


def attend(q: Tensor, values: list[Tensor], scale: float, heads: int = 1) -> Tensor:
    """One query a token over sources (B, T, D); the key norm is over all of D, then heads part."""
    v = torch.stack(values, dim=2)  # (B, T, J, D)
    k = rms_norm(v, v.shape[-1:], eps=1e-6)
    q = q.expand_as(values[0]).unsqueeze(2)
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(2, 3) for x in (q, k, v))  # B T H J D/H
    return scaled_dot_product_attention(q, k, v, scale=scale).transpose(2, 3).flatten(2)
