"""The sublayers of a SiT block, and the modulations of all blocks.

`definition` says what is computed. On the CPU in float32 each is one autograd function: `narrow`
where everything of some fifty tokens stays in the cache, `wide` otherwise, whose time is that of
torch's matrix products.
"""

from collections.abc import Sequence
from itertools import chain

from torch import Tensor

from darbench.ops import native
from darbench.ops.sublayers import definition
from darbench.ops.sublayers.definition import Linear, Modulation

__all__ = ["adaln", "attention", "mlp", "modulate"]

LANES = 16  # the width of a row is a multiple


def attention(h: Tensor, modulation: Modulation, qkv: Linear, proj: Linear, heads: int) -> Tensor:
    """Multi-head self-attention between its norm and its gate, (B, T, D) -> (B, T, D)."""
    if not _native(h, modulation, qkv, proj):
        return definition.attention(h, modulation, qkv, proj, heads)
    from darbench.ops.sublayers import narrow, wide

    of = narrow if narrow.takes(qkv[0], proj[0]) and h.shape[1] <= narrow.FEW else wide
    return of.Attention.apply(h.contiguous(), *modulation, *qkv, *proj, heads)


def mlp(h: Tensor, modulation: Modulation, fc1: Linear, fc2: Linear) -> Tensor:
    """The MLP between its norm and its gate, (B, T, D) -> (B, T, D)."""
    if not _native(h, modulation, fc1, fc2) or len(fc1[0]) % LANES:
        return definition.mlp(h, modulation, fc1, fc2)
    from darbench.ops.sublayers import narrow, wide

    of = narrow if narrow.takes(fc1[0], fc2[0]) else wide
    return of.Mlp.apply(h.contiguous(), *modulation, *fc1, *fc2)


def adaln(c: Tensor, linears: Sequence[Linear]) -> list[tuple[Tensor, ...]]:
    """The six parts (B, 1, D) of every block's modulation, from c (B, D), which all share."""
    from darbench.ops.sublayers import conditioning

    flat = [*chain(*linears)]
    if not native.applies(c, *flat) or not conditioning.takes(*flat):
        return definition.adaln(c, linears)
    parts = conditioning.AdaLN.apply(c, *flat)
    return [parts[i : i + 6] for i in range(0, len(parts), 6)]


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Modulated norm, LN(h) * (1 + scale) + shift: (B, T, D) with (B, 1, D)."""
    if not _native(h, (shift, scale)):
        return definition.modulate(h, shift, scale)
    from darbench.ops.sublayers import wide

    return wide.Modulate.apply(h.contiguous(), shift, scale)


def _native(h: Tensor, modulation: Sequence[Tensor], *linears: Linear) -> bool:
    """Whether h has whole vectors, and every sample a row of each modulation."""
    batch, _, width = h.shape
    rows = all(m.shape == (batch, 1, width) and m.stride(-1) == 1 for m in modulation)
    return rows and width % LANES == 0 and native.applies(h, *modulation, *chain(*linears))
