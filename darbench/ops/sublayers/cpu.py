"""Whole sublayers as autograd functions, on the CPU in float32.

Between a sublayer's matrix products lie native kernels, and autograd sees one function instead of
thirteen. Where a second derivative is wanted, the first is made of the definition.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from darbench.ops.sublayers import definition
from darbench.ops.sublayers.few_tokens import attend, attend_backward
from darbench.ops.sublayers.gelu import gelu
from darbench.ops.sublayers.modulation import gated, gated_backward, modulate, modulate_backward


def _or_by(define: Callable[..., Any]) -> Callable[[Callable], Callable]:
    """Decorator of a backward that is not differentiable: where that is wanted, define(*inputs)
    is what is differentiated, twice. ctx saves the inputs first, `ctx.inputs` of them."""

    def decorate(backward: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(backward)
        def chosen(ctx: Any, *gradients: Tensor) -> Any:
            if not torch.is_grad_enabled():
                return backward(ctx, *gradients)
            given = ctx.saved_tensors[: ctx.inputs]
            wanted = [x for x in given if x.requires_grad]
            out = define(*given, *ctx.others)
            made = iter(torch.autograd.grad(out, wanted, gradients, create_graph=True))
            own = [next(made) if x.requires_grad else None for x in given]
            return *own, *(None for _ in ctx.others)

        return chosen

    return decorate


def _attention(h, shift, scale, gate, w_qkv, b_qkv, w_proj, b_proj, heads) -> Tensor:
    modulation = shift, scale, gate
    return definition.attention(h, modulation, (w_qkv, b_qkv), (w_proj, b_proj), heads)


class Attention(Function):
    """Returns what `darbench.ops.sublayers.attention` does."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *inputs, heads = given
        h, shift, scale, gate, w_qkv, b_qkv, w_proj, b_proj = inputs
        kept = any(ctx.needs_input_grad)
        x, means, inverses = modulate(h, shift, scale)
        qkv = functional.linear(x, w_qkv, b_qkv)
        a, *of_attention = attend(qkv, heads, kept)
        p = functional.linear(a, w_proj, b_proj)
        if kept:
            ctx.save_for_backward(*inputs, x, means, inverses, qkv, a, p, *of_attention)
            ctx.inputs, ctx.others = len(inputs), (heads,)
        return gated(p, gate)

    @staticmethod
    @_or_by(_attention)
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        h, _, scale, gate, w_qkv, _, w_proj, _, *made = ctx.saved_tensors
        x, means, inverses, qkv, a, p, *of_attention = made
        dp, dgate = gated_backward(p, gate, dout.contiguous())
        da, *of_proj = _linear_backward(a, w_proj, dp)
        dqkv = attend_backward(qkv, *ctx.others, da, a, *of_attention)
        dx, *of_qkv = _linear_backward(x, w_qkv, dqkv)
        dh, dshift, dscale = modulate_backward(h, scale, means, inverses, dx)
        return dh, dshift, dscale, dgate, *of_qkv, *of_proj, None


def _mlp(h, shift, scale, gate, w1, b1, w2, b2) -> Tensor:
    return definition.mlp(h, (shift, scale, gate), (w1, b1), (w2, b2))


class Mlp(Function):
    """Returns what `darbench.ops.sublayers.mlp` does."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        h, shift, scale, gate, w1, b1, w2, b2 = inputs
        kept = any(ctx.needs_input_grad)
        x, means, inverses = modulate(h, shift, scale)
        a, slope = gelu(functional.linear(x, w1, b1), kept)
        p = functional.linear(a, w2, b2)
        if kept:
            ctx.save_for_backward(*inputs, x, means, inverses, a, slope, p)
            ctx.inputs, ctx.others = len(inputs), ()
        return gated(p, gate)

    @staticmethod
    @_or_by(_mlp)
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        h, _, scale, gate, w1, _, w2, _, x, means, inverses, a, slope, p = ctx.saved_tensors
        dp, dgate = gated_backward(p, gate, dout.contiguous())
        da, *of_fc2 = _linear_backward(a, w2, dp)
        dx, *of_fc1 = _linear_backward(x, w1, da.mul_(slope))
        dh, dshift, dscale = modulate_backward(h, scale, means, inverses, dx)
        return dh, dshift, dscale, dgate, *of_fc1, *of_fc2


def _adaln(c: Tensor, *flat: Tensor) -> list[Tensor]:
    return definition.adaln(c, [*zip(flat[::2], flat[1::2], strict=True)])


class AdaLN(Function):
    """Returns what `darbench.ops.sublayers.adaln` does, for c and each weight and bias in turn."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
        c, *flat = inputs
        s = functional.silu(c)
        ctx.save_for_backward(*inputs, s)
        ctx.inputs, ctx.others = len(inputs), ()
        return tuple(map(functional.linear, [s] * (len(flat) // 2), flat[::2], flat[1::2]))

    @staticmethod
    @_or_by(_adaln)
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        c, *flat, s = ctx.saved_tensors
        ds, made = torch.zeros_like(s), []
        for weight, dout in zip(flat[::2], gradients, strict=True):
            ds.addmm_(dout, weight)
            made += [dout.mT @ s, dout.sum(0)]
        return torch.ops.aten.silu_backward(ds, c), *made


def _linear_backward(x: Tensor, weight: Tensor, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight and bias, each in the memory order of its own."""
    flat = dout.flatten(0, 1)
    return dout @ weight, flat.mT @ x.flatten(0, 1), flat.sum(0)
