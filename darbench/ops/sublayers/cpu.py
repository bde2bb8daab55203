"""Whole sublayers as autograd functions, on the CPU in float32.

Autograd sees one function instead of thirteen. They have first derivatives only; torch's attention,
which the definition calls, has no others either.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from darbench.ops.native.autograd import first_order
from darbench.ops.sublayers.few_tokens import attend, attend_backward
from darbench.ops.sublayers.gelu import gelu
from darbench.ops.sublayers.linear import linear, linear_backward
from darbench.ops.sublayers.modulation import gated, gated_backward, modulate, modulate_backward


class Attention(Function):
    """Returns what `darbench.ops.sublayers.attention` does."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *inputs, heads = given
        h, shift, scale, gate, w_qkv, b_qkv, w_proj, b_proj = inputs
        kept = any(ctx.needs_input_grad)
        x, means, inverses = modulate(h, shift, scale)
        qkv = linear(x, w_qkv, b_qkv)
        a, *of_attention = attend(qkv, heads, kept)
        p = linear(a, w_proj, b_proj)
        if kept:
            ctx.save_for_backward(*inputs, x, means, inverses, qkv, a, p, *of_attention)
            ctx.heads = heads
        return gated(p, gate)

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        h, _, scale, gate, w_qkv, _, w_proj, _, *made = ctx.saved_tensors
        x, means, inverses, qkv, a, p, *of_attention = made
        dp, dgate = gated_backward(p, gate, dout.contiguous())
        da, *of_proj = linear_backward(a, w_proj, dp)
        dqkv = attend_backward(qkv, ctx.heads, da, a, *of_attention)
        dx, *of_qkv = linear_backward(x, w_qkv, dqkv)
        dh, dshift, dscale = modulate_backward(h, scale, means, inverses, dx)
        return dh, dshift, dscale, dgate, *of_qkv, *of_proj, None


class Mlp(Function):
    """Returns what `darbench.ops.sublayers.mlp` does."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        h, shift, scale, gate, w1, b1, w2, b2 = inputs
        kept = any(ctx.needs_input_grad)
        x, means, inverses = modulate(h, shift, scale)
        a, slope = gelu(linear(x, w1, b1), kept)
        p = linear(a, w2, b2)
        if kept:
            ctx.save_for_backward(*inputs, x, means, inverses, a, slope, p)
        return gated(p, gate)

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        h, _, scale, gate, w1, _, w2, _, x, means, inverses, a, slope, p = ctx.saved_tensors
        dp, dgate = gated_backward(p, gate, dout.contiguous())
        da, *of_fc2 = linear_backward(a, w2, dp)
        dx, *of_fc1 = linear_backward(x, w1, da.mul_(slope))
        dh, dshift, dscale = modulate_backward(h, scale, means, inverses, dx)
        return dh, dshift, dscale, dgate, *of_fc1, *of_fc2


class AdaLN(Function):
    """Returns what `darbench.ops.sublayers.adaln` does, for c and each weight and bias in turn."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
        c, *flat = inputs
        s = functional.silu(c)
        ctx.save_for_backward(*inputs, s)
        return tuple(map(functional.linear, [s] * (len(flat) // 2), flat[::2], flat[1::2]))

    @staticmethod
    @first_order
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        c, *flat, s = ctx.saved_tensors
        ds, made = torch.zeros_like(s), []
        for weight, dout in zip(flat[::2], gradients, strict=True):
            ds.addmm_(dout, weight)
            made += [dout.mT @ s, dout.sum(0)]
        return torch.ops.aten.silu_backward(ds, c), *made
