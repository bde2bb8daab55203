"""The sublayers of a SiT block, and the modulations of all blocks.

`definition` says what is computed. On the CPU in float32 each is one autograd function: torch's
matrix products, and native kernels between them that go over the tokens once.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from darbench.ops import native
from darbench.ops.sublayers import definition
from darbench.ops.sublayers.definition import Linear, Modulation, modulate

__all__ = ["adaln", "attention", "mlp", "modulate"]

LANES = 16  # the width of a row is a multiple


def attention(h: Tensor, modulation: Modulation, qkv: Linear, proj: Linear, heads: int) -> Tensor:
    """Multi-head self-attention between its norm and its gate, (B, T, D) -> (B, T, D)."""
    if not _native(h, modulation, qkv, proj):
        return definition.attention(h, modulation, qkv, proj, heads)
    from darbench.ops.sublayers import cpu

    return cpu.Attention.apply(h.contiguous(), *modulation, *qkv, *proj, heads)


def mlp(h: Tensor, modulation: Modulation, fc1: Linear, fc2: Linear) -> Tensor:
    """The MLP between its norm and its gate, (B, T, D) -> (B, T, D)."""
    if not _native(h, modulation, fc1, fc2):
        return definition.mlp(h, modulation, fc1, fc2)
    from darbench.ops.sublayers import cpu

    return cpu.Mlp.apply(h.contiguous(), *modulation, *fc1, *fc2)


def adaln(c: Tensor, linears: Sequence[Linear]) -> Sequence[Tensor]:
    """The modulations (B, 6 D) of every block from c (B, D), which all of them share."""
    flat = [x for linear in linears for x in linear]
    if not native.takes(c, *flat) or torch.compiler.is_compiling() or _autocast():
        return definition.adaln(c, linears)
    from darbench.ops.sublayers import cpu

    return cpu.AdaLN.apply(c.contiguous(), *flat)


def _native(h: Tensor, modulation: Modulation, *linears: Linear) -> bool:
    """Whether h has whole vectors, and every sample a row of shift, scale and gate."""
    batch, _, width = h.shape
    rows = all(m.shape == (batch, 1, width) and m.stride(-1) == 1 for m in modulation)
    tensors = (h, *modulation, *(x for linear in linears for x in linear))
    takes = rows and width % LANES == 0 and native.takes(*tensors)
    return takes and not torch.compiler.is_compiling() and not _autocast()


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu")
