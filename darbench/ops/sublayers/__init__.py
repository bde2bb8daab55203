"""The sublayers of a SiT block, and the modulations of all blocks.

`definition` says what is computed. On the CPU in float32 each is one autograd function: `narrow`
where everything of some fifty tokens stays in the cache, `wide` otherwise, whose time is that of
large matrix products. They take the parameters of linears without calling those.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from darbench.ops import native
from darbench.ops.parameters import parameters
from darbench.ops.sublayers import definition
from darbench.ops.sublayers.definition import Modulation

__all__ = ["adaln", "attention", "mlp", "modulate"]

LANES = 16  # the width of a row is a multiple


def attention(
    h: Tensor, modulation: Modulation, qkv: nn.Linear, proj: nn.Linear, heads: int
) -> Tensor:
    """Multi-head self-attention between its norm and its gate, (B, T, D) -> (B, T, D)."""
    width, weights = h.shape[-1], parameters(qkv, proj)
    fits = _shapes(weights) == (3 * width, width, width, width) and width % heads == 0
    if not fits or not _native(h, modulation, weights):
        return definition.attention(h, modulation, qkv, proj, heads)
    from darbench.ops.sublayers import narrow, wide
    from darbench.ops.sublayers.narrow import attention

    few = h.shape[1] <= narrow.FEW
    of = attention if few and narrow.takes(weights[0], weights[2]) else wide
    return of.Attention.apply(h.contiguous(), *modulation, *weights, heads)


def mlp(h: Tensor, modulation: Modulation, fc1: nn.Linear, fc2: nn.Linear) -> Tensor:
    """The MLP between its norm and its gate, (B, T, D) -> (B, T, D)."""
    width, weights = h.shape[-1], parameters(fc1, fc2)
    hidden = len(weights[0]) if weights else 0
    fits = _shapes(weights) == (hidden, width, width, hidden) and hidden % LANES == 0
    if not fits or not _native(h, modulation, weights):
        return definition.mlp(h, modulation, fc1, fc2)
    from darbench.ops.sublayers import narrow, wide
    from darbench.ops.sublayers.narrow import mlp

    of = mlp if narrow.takes(weights[0], weights[2]) else wide
    return of.Mlp.apply(h.contiguous(), *modulation, *weights)


def adaln(c: Tensor, linears: Sequence[nn.Linear]) -> list[tuple[Tensor, ...]]:
    """The six parts (B, 1, D) of every block's modulation, from c (B, D), which all share."""
    from darbench.ops.sublayers import conditioning

    weights = parameters(*linears)
    if not weights or not native.applies(c, *weights) or not conditioning.takes(*weights):
        return definition.adaln(c, linears)
    parts = conditioning.AdaLN.apply(c, *weights)
    return [parts[i : i + 6] for i in range(0, len(parts), 6)]


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Modulated norm, LN(h) * (1 + scale) + shift: (B, T, D) with (B, 1, D)."""
    if not _native(h, (shift, scale), []):
        return definition.modulate(h, shift, scale)
    from darbench.ops.sublayers import wide

    return wide.Modulate.apply(h.contiguous(), shift, scale)


def _shapes(weights: Sequence[Tensor]) -> tuple[int, ...]:
    """Outputs and inputs of two linears; none where a bias does not fit, as torch will say."""
    if not weights or any(b.shape != w.shape[:1] for w, b in (weights[:2], weights[2:])):
        return ()
    return *weights[0].shape, *weights[2].shape


def _native(h: Tensor, modulation: Sequence[Tensor], weights: Sequence[Tensor]) -> bool:
    """Whether h has whole vectors, every sample a row of each modulation, and weights no gaps."""
    if not native.applies(h, *modulation, *weights):
        return False
    batch, _, width = h.shape
    rows = all(m.shape == (batch, 1, width) and m.stride(-1) == 1 for m in modulation)
    return rows and width % LANES == 0 and all(w.is_contiguous() for w in weights)
