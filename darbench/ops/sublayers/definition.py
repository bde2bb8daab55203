"""The sublayers of a SiT block, v = gate * op(LN(h) * (1 + scale) + shift), and their modulation.

Shapes: h (B, T, D); shift, scale and gate (B, 1, D); c (B, D).
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6  # SiT's LayerNorms add this to the variance; they have no parameters

Modulation = tuple[Tensor, Tensor, Tensor]  # shift, scale, gate


def attention(
    h: Tensor, modulation: Modulation, qkv: nn.Linear, proj: nn.Linear, heads: int
) -> Tensor:
    """Multi-head self-attention; qkv is laid out (3, heads, D / heads)."""
    shift, scale, gate = modulation
    return gate * proj(self_attention(qkv(modulate(h, shift, scale)), heads))


def mlp(h: Tensor, modulation: Modulation, fc1: nn.Linear, fc2: nn.Linear) -> Tensor:
    """Two linears with a tanh-approximated GELU between (arXiv:1606.08415, section 2)."""
    shift, scale, gate = modulation
    x = fc1(modulate(h, shift, scale))
    return gate * fc2(functional.gelu(x, approximate="tanh"))


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Modulated norm, LN(h) * (1 + scale) + shift."""
    return functional.layer_norm(h, h.shape[-1:], eps=EPS) * (1 + scale) + shift


def self_attention(qkv: Tensor, heads: int) -> Tensor:
    """softmax(q k^T / sqrt(D / heads)) v of every head, (B, T, 3 D) -> (B, T, D)."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind()
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def adaln(c: Tensor, linears: Sequence[nn.Linear]) -> list[tuple[Tensor, ...]]:
    """The six parts (B, 1, D) of every block's modulation: a linear of SiLU(c).

    They have c's precision, also under autocast, and so has a gated sublayer's output: a residual
    stream that was rounded at every site would lose small updates.
    """
    s = functional.silu(c)
    made = (linear(s).to(c.dtype) for linear in linears)
    return [modulation.unsqueeze(1).chunk(6, dim=-1) for modulation in made]
