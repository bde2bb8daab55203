"""The two sublayers of a block: one class with another op, and the adaLN they share."""

import torch
from torch import Tensor, nn

from darbench.ops.gelu import gelu

EPS = 1e-6  # SiT's LayerNorms add this to the variance; they have no parameters

# The factor of a sublayer's output, from its adaLN gate (B, 1, D); a routing names its form.
GATES = {"adaln": lambda gate: gate, "one_plus": lambda gate: 1 + gate, "none": torch.ones_like}


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Modulated norm, LN(h) * (1 + scale) + shift: (B, T, D) with (B, 1, D)."""
    return nn.functional.layer_norm(h, h.shape[-1:], eps=EPS) * (1 + scale) + shift


class Sublayer(nn.Module):
    """A sublayer, v = gate(c) * op(LN(h) * (1 + scale(c)) + shift(c)): (B, T, D) -> (B, T, D)."""

    def forward(self, h: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        return gate * self.op(modulate(h, shift, scale))

    def op(self, x: Tensor) -> Tensor:
        """What the sublayer does between its norm and its gate."""
        raise NotImplementedError


class Attention(Sublayer):
    """Multi-head self-attention; qkv is laid out (3, heads, D / heads)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def op(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = nn.functional.scaled_dot_product_attention(*qkv.unbind())
        return self.proj(out.transpose(1, 2).flatten(2))


class Mlp(Sublayer):
    """Two linears with a tanh-approximated GELU between."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def op(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and MLP with one adaLN linear for both: shift, scale, gate of each, in order."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, gate: str):
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = Mlp(width, int(width * mlp_ratio))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.gate = GATES[gate]

    def sublayers(self, c: Tensor) -> list[tuple[Sublayer, tuple[Tensor, Tensor, Tensor]]]:
        """Attention and MLP, each with its shift, scale and gate (B, 1, D).

        The three have c's precision, also under autocast, and so has a gated sublayer's output: a
        residual stream that was rounded at every site would lose small updates.
        """
        parts = self.adaLN_modulation(c).to(c.dtype).unsqueeze(1).chunk(6, dim=-1)
        bound = []
        for sublayer, (shift, scale, gate) in ((self.attn, parts[:3]), (self.mlp, parts[3:])):
            bound.append((sublayer, (shift, scale, self.gate(gate))))
        return bound


class FinalLayer(nn.Module):
    """The head: modulated LayerNorm and a linear to patch * patch * out channels."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).unsqueeze(1).chunk(2, dim=-1)
        return self.linear(modulate(h, shift, scale))
