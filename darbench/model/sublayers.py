"""The two sublayers of a block: one class with another op, and the adaLN they share."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from darbench.ops.sublayers import adaln, attention, mlp, modulate

# The factor of a sublayer's output, from its adaLN gate (B, 1, D); a routing names its form.
GATES = {"adaln": lambda gate: gate, "one_plus": lambda gate: 1 + gate, "none": torch.ones_like}


class Sublayer(nn.Module):
    """A sublayer, v = gate(c) * op(LN(h) * (1 + scale(c)) + shift(c)): (B, T, D) -> (B, T, D)."""

    def forward(self, h: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        """Return v; shift, scale and gate are (B, 1, D)."""
        raise NotImplementedError


class Attention(Sublayer):
    """Multi-head self-attention; qkv is laid out (3, heads, D / heads)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, h: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        return attention(h, (shift, scale, gate), self.qkv, self.proj, self.heads)


class Mlp(Sublayer):
    """Two linears with a tanh-approximated GELU between."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, h: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        return mlp(h, (shift, scale, gate), self.fc1, self.fc2)


class Block(nn.Module):
    """Attention and MLP with one adaLN linear for both: shift, scale, gate of each, in order."""

    def __init__(self, width: int, heads: int, hidden: int, gate: str):
        super().__init__()
        self.attn = Attention(width, heads)
        self.mlp = Mlp(width, hidden)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.gate = GATES[gate]

    def sublayers(
        self, modulation: tuple[Tensor, ...]
    ) -> list[tuple[Sublayer, tuple[Tensor, ...]]]:
        """Attention and MLP, each with its shift, scale and gate, of six parts (B, 1, D)."""
        bound = []
        for sublayer, own in ((self.attn, modulation[:3]), (self.mlp, modulation[3:])):
            shift, scale, gate = own
            bound.append((sublayer, (shift, scale, self.gate(gate))))
        return bound


def modulations(blocks: Iterable[Block], c: Tensor) -> list[tuple[Tensor, ...]]:
    """The six parts (B, 1, D) of every block's modulation."""
    return adaln(c, [block.adaLN_modulation[1] for block in blocks])


class FinalLayer(nn.Module):
    """The head: modulated LayerNorm and a linear to patch * patch * out channels."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).unsqueeze(1).chunk(2, dim=-1)
        return self.linear(modulate(h, shift, scale))
