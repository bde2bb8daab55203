"""What a softmax reader over depth reads: outputs with the inverse RMS of their key norm."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from darbench.ops.depth_attention import depth_attention, inverse_rms


class Source(NamedTuple):
    value: Tensor  # (B, T, D)
    inv_rms: Tensor  # (B, T), of the key norm; it does not depend on the reader

    def __add__(self, other: "Source") -> "Source":
        return source(self.value + other.value)


def source(v: Tensor) -> Source:
    return Source(v, inverse_rms(v))


def attend(query: Tensor, sources: Sequence[Source], scale: float, heads: int = 1) -> Tensor:
    """sum_i alpha_i v_i, alpha = softmax_i(scale q . RMSNorm(v_i)), per token and head.

    The key's gain belongs into the query: q . (gain k) = (gain q) . k. (B, T, D)
    """
    values, inv_rms = zip(*sources, strict=True)
    return depth_attention(query, values, inv_rms, scale, heads)
