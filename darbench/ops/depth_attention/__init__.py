"""Depth attention: a softmax over sources at different depths, per token.

`definition` says what is computed. Kernels compute it on the CPU in float32 and on CUDA, without
copies of the sources and keeping nothing as large as one of them. Which one runs is decided by
the tensors alone; values and first derivatives are equal to rounding. Second derivatives and
torch.func need the definition, which float64 gets.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from darbench.ops.depth_attention import definition, eager, graph
from darbench.ops.depth_attention.backends import backend, takes
from darbench.ops.depth_attention.deferred import deferred
from darbench.ops.depth_attention.listener import LISTENERS, tell
from darbench.ops.depth_attention.source import Source, key_norm, normed, null
from darbench.ops.norm import EPS

__all__ = ["Source", "depth_attention", "key_norm", "null", "source"]


def source(v: Tensor, eps: float = EPS) -> Source:
    """Return v (B, T, D) as a source; where no kernel reads it, its norm is computed here."""
    return deferred(v) if takes(v) and eps == EPS else normed(v, eps)


def depth_attention(
    query: Tensor, sources: Sequence[Source], scale: float, heads: int = 1
) -> tuple[Tensor, tuple[Source, ...]]:
    """Return h = sum_i alpha_i v_i, alpha = softmax_i(scale q . v_i / rms(v_i)), and the sources.

    query: broadcasts to (B, T, D), as (D,), (B, 1, D) or (B, T, D); the key's gain belongs into
    it. With heads H the channels form H contiguous groups, each with a softmax of its own over
    its part of the dot product; the key norm is over all of D. h: (B, T, D). Logits and softmax
    are float32 or better.

    The gradient of a source includes that through its key norm. The next reader must take the
    sources that are returned, not those given: the gradients of all readers of a source then
    add up in one tensor, which halves the memory traffic of the backward. Raises ValueError where
    shapes do not fit.
    """
    _check(query, sources)
    # Under autocast a computed query has less precision than the sources.
    query = query.to(torch.promote_types(query.dtype, sources[0].value.dtype))
    if LISTENERS and not torch.compiler.is_compiling():
        tell(query, sources, scale, heads)
    if not takes(query, *(s.value for s in sources)):
        return definition.depth_attention(query, sources, scale, heads), tuple(sources)
    if torch.compiler.is_compiling():
        return graph.depth_attention(query, sources, scale, heads), tuple(sources)
    return eager.depth_attention(backend(query), query, sources, scale, heads)


def _check(query: Tensor, sources: Sequence[Source]) -> None:
    """Raise ValueError for shapes that do not fit: kernels would read beyond the tensors."""
    given, shape = query.shape, sources[0].value.shape
    sizes = zip(reversed(given[:-1]), reversed(shape[:-1]), strict=False)
    fits = given[-1:] == shape[-1:] and len(given) <= 3 and all(n in (1, m) for n, m in sizes)
    if not fits or any(s.value.shape != shape for s in sources):
        values = sorted({tuple(s.value.shape) for s in sources})
        raise ValueError(
            f"query {tuple(given)} and values {', '.join(map(str, values))}: values must share a "
            "shape, (B, T, D), and the query be (D,), (B, 1, D) or (B, T, D)"
        )
