"""Depth attention as one operator of a traced graph, differentiated by a second one.

torch wants operators to be functional, so the gradients of a source's readers are added up by
autograd. Kernels on CUDA are given addresses, which a recorded CUDA graph would not renew.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from darbench.ops.depth_attention.backends import backend
from darbench.ops.depth_attention.source import Source
from darbench.ops.norm import inverse_rms

TAGS = (torch.Tag.cudagraph_unsafe,)


def depth_attention(query: Tensor, sources: Sequence[Source], scale: float, heads: int) -> Tensor:
    values = [s.value for s in sources]
    # Detached: the gradient of the values includes the one through their norm.
    inv_rms = [
        inverse_rms(s.value.detach()) if s.inv_rms is None else s.inv_rms.detach() for s in sources
    ]
    return _forward(query, values, inv_rms, scale, heads)[0]


@torch.library.custom_op("darbench::depth_attention", mutates_args=(), tags=TAGS)
def _forward(
    query: Tensor, values: list[Tensor], inv_rms: list[Tensor], scale: float, heads: int
) -> tuple[Tensor, Tensor]:
    """Return h (B, T, D), and what the backward needs."""
    values = [v.contiguous() for v in values]
    return backend(query).forward(query, values, inv_rms, scale, heads)


@_forward.register_fake
def _(query, values, inv_rms, scale, heads):
    return backend(query).empty_outputs(values, heads)


@torch.library.custom_op("darbench::depth_attention_backward", mutates_args=(), tags=TAGS)
def _backward(
    grad: Tensor,
    query: Tensor,
    values: list[Tensor],
    inv_rms: list[Tensor],
    kept: Tensor,
    scale: float,
) -> list[Tensor]:
    """Return the gradients of the query and of every value."""
    values = [v.contiguous() for v in values]
    into = [None] * len(values)
    dquery, dvalues = backend(query).backward(grad, query, values, inv_rms, kept, scale, into)
    return [dquery, *dvalues]


@_backward.register_fake
def _(grad, query, values, inv_rms, kept, scale):
    return [query.new_empty(query.shape), *(v.new_empty(v.shape) for v in values)]


def _setup(ctx, inputs, output) -> None:
    query, values, inv_rms, ctx.scale, _ = inputs
    ctx.save_for_backward(query, output[1], *values, *inv_rms)


def _differentiate(ctx, grad, _):
    query, kept, *tensors = ctx.saved_tensors
    values, inv_rms = tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :]
    dquery, *dvalues = _backward(grad, query, values, inv_rms, kept, ctx.scale)
    return dquery, dvalues, [None] * len(values), None, None


_forward.register_autograd(_differentiate, setup_context=_setup)
