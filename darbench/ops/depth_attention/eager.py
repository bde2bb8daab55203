"""Depth attention as an autograd function that calls the kernels of a backend.

The gradients of all readers of a source add up in one tensor, in place.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from darbench.ops.depth_attention.backends import Backend
from darbench.ops.depth_attention.deferred import Deferred
from darbench.ops.depth_attention.source import Source
from darbench.ops.native.autograd import NativeFunction, first_order


class _Read(NativeFunction):
    """Returns (h, *trails); the trails are the given values, passed through.

    In the backward, a trail's gradient is that of all later readers, in a tensor that nobody else
    holds, so that this reader's gradient is added to it in place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        backend: Backend,
        query: Tensor,
        inv_rms: Any,
        unknown: list[int],
        scale: float,
        heads: int,
        *values: Tensor,
    ):
        h, kept = backend.forward(query, values, inv_rms, scale, heads, unknown)
        ctx.save_for_backward(query, kept, *values)
        ctx.backend, ctx.inv_rms, ctx.scale = backend, inv_rms, scale  # no gradient, so no cycle
        ctx.set_materialize_grads(False)
        return h, *values

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor | None, *trails: Tensor | None):
        if grad is None:
            return None, None, None, None, None, None, *trails
        query, kept, *values = ctx.saved_tensors
        dquery, dvalues = ctx.backend.backward(
            grad, query, values, ctx.inv_rms, kept, ctx.scale, trails
        )
        return None, dquery, None, None, None, None, *dvalues


def depth_attention(
    backend: Backend, query: Tensor, sources: Sequence[Source], scale: float, heads: int
) -> tuple[Tensor, tuple[Source, ...]]:
    """Like `darbench.ops.depth_attention.depth_attention`, with the backend given."""
    values, inv_rms, trails = map(list, zip(*sources, strict=True))
    unknown = [j for j, r in enumerate(inv_rms) if r is None]
    for j in unknown:
        inv_rms[j] = values[j].new_empty(values[j].shape[:-1], dtype=torch.float32)
    h, *trails = _Read.apply(backend, query, inv_rms, unknown, scale, heads, *trails)
    return h, tuple(map(Deferred._make, zip(values, inv_rms, trails, strict=True)))
