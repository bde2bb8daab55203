"""What a softmax reader over depth reads: outputs with the inverse RMS of their key norm."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from darbench.ops.depth_attention import depth_attention, inverse_rms


class Source(NamedTuple):
    value: Tensor  # (B, T, D)
    inv_rms: Tensor  # (B, T), of the key norm; it does not depend on the reader

    def __add__(self, other: "Source") -> "Source":
        return source(self.value + other.value)


def source(v: Tensor) -> Source:
    return Source(v, inverse_rms(v))


def reader_groups(routing: nn.Module, lr_mult: float) -> list[dict[str, Any]]:
    """Optimiser groups of readers: lr_mult is for the queries, not for the gains of the keys."""
    gains, queries = [], []
    for name, parameter in routing.named_parameters():
        (gains if name == "gain" else queries).append(parameter)
    return [
        {"params": queries, "lr_mult": lr_mult, "weight_decay": None},
        {"params": gains, "lr_mult": 1.0, "weight_decay": None},
    ]


def attend(query: Tensor, sources: Sequence[Source], scale: float, heads: int = 1) -> Tensor:
    """sum_i alpha_i v_i, alpha = softmax_i(scale q . RMSNorm(v_i)), per token and head.

    The key's gain belongs into the query: q . (gain k) = (gain q) . k. (B, T, D)
    """
    values, inv_rms = zip(*sources, strict=True)
    return depth_attention(query, values, inv_rms, scale, heads)
