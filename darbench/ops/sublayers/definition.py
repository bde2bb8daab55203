"""The sublayers of a SiT block: v = gate * op(LN(h) * (1 + scale) + shift), with what conditions it.

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


def adaln(c: Tensor, linears: Sequence[Linear]) -> list[Tensor]:
    """SiLU and a linear of every block: the blocks' modulations, (B, 6 D) each."""
    return [functional.linear(functional.silu(c), *linear) for linear in linears]
