"""The sublayers of a SiT block, v = gate * op(LN(h) * (1 + scale) + shift), and their modulation.

Shapes: h (B, T, D); shift, scale and gate (B, 1, D); c (B, D). A linear is a pair (weight, bias).
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

EPS = 1e-6  # SiT's LayerNorms add this to the variance; they have no parameters

Linear = tuple[Tensor, Tensor]
Modulation = tuple[Tensor, Tensor, Tensor]  # shift, scale, gate


def attention(h: Tensor, modulation: Modulation, qkv: Linear, proj: Linear, heads: int) -> Tensor:
    """Multi-head self-attention; qkv is laid out (3, heads, D / heads)."""
    shift, scale, gate = modulation
    x = functional.linear(modulate(h, shift, scale), *qkv)
    return gate * functional.linear(self_attention(x, heads), *proj)


def mlp(h: Tensor, modulation: Modulation, fc1: Linear, fc2: Linear) -> Tensor:
    """Two linears with a tanh-approximated GELU between (arXiv:1606.08415, section 2)."""
    shift, scale, gate = modulation
    x = functional.linear(modulate(h, shift, scale), *fc1)
    return gate * functional.linear(functional.gelu(x, approximate="tanh"), *fc2)


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Modulated norm, LN(h) * (1 + scale) + shift."""
    return functional.layer_norm(h, h.shape[-1:], eps=EPS) * (1 + scale) + shift


def self_attention(qkv: Tensor, heads: int) -> Tensor:
    """softmax(q k^T / sqrt(D / heads)) v of every head, (B, T, 3 D) -> (B, T, D)."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind()
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def adaln(c: Tensor, linears: Sequence[Linear]) -> list[tuple[Tensor, ...]]:
    """The six parts (B, 1, D) of every block's modulation: a linear of SiLU(c).

    They have c's precision, also under autocast, and so has a gated sublayer's output: a residual
    stream that was rounded at every site would lose small updates.
    """
    s = functional.silu(c)
    made = (functional.linear(s, *linear).to(c.dtype) for linear in linears)
    return [modulation.unsqueeze(1).chunk(6, dim=-1) for modulation in made]
