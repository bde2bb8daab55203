"""Sublayers on the CPU in float32: torch's attention, products and other kernels of our own.

Autograd sees one function instead of thirteen. It has a first derivative only; torch's attention,
which the definition calls, has no other either.
"""

from typing import Any

import torch
from torch import Tensor

from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.matmul import matmul
from darbench.ops.sublayers.gelu import gelu, gelu_backward
from darbench.ops.sublayers.modulation import gate as gated
from darbench.ops.sublayers.modulation import gate_backward, modulate, modulate_backward

_attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_attend_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Modulate(NativeFunction):
    """Returns what `darbench.ops.sublayers.modulate` does."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        x, *of_norm = modulate(h, shift, scale)
        ctx.save_for_backward(h, scale, *of_norm)
        return x

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor, ...]:
        return modulate_backward(*ctx.saved_tensors, dout.contiguous())


class Attention(NativeFunction):
    """Returns what `darbench.ops.sublayers.attention` does."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *inputs, heads = given
        h, shift, scale, gate, w_qkv, b_qkv, w_proj, b_proj = inputs
        kept = any(ctx.needs_input_grad)
        x, means, inverses = modulate(h, shift, scale)
        qkv = _linear(x, w_qkv, b_qkv)
        a, logs = _attend(*_split(qkv, heads))
        a = a.transpose(1, 2).flatten(2)
        p = _linear(a, w_proj, b_proj)
        if kept:
            ctx.save_for_backward(*inputs, x, means, inverses, qkv, a, p, logs)
            ctx.heads = heads
        return gated(p, gate)

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        h, _, scale, gate, w_qkv, _, w_proj, _, *made = ctx.saved_tensors
        x, means, inverses, qkv, a, p, logs = made
        dp, dgate, db_proj = gate_backward(p, gate, dout.contiguous())
        da, dw_proj = _linear_backward(a, w_proj, dp)
        dqkv = _attention_backward(qkv, ctx.heads, da, a, logs)
        dx, dw_qkv = _linear_backward(x, w_qkv, dqkv)
        dh, dshift, dscale = modulate_backward(h, scale, means, inverses, dx)
        db_qkv = dqkv.sum((0, 1))
        return dh, dshift, dscale, dgate, dw_qkv, db_qkv, dw_proj, db_proj, None


class Mlp(NativeFunction):
    """Returns what `darbench.ops.sublayers.mlp` does."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        h, shift, scale, gate, w1, b1, w2, b2 = inputs
        kept = any(ctx.needs_input_grad)
        x, means, inverses = modulate(h, shift, scale)
        u = _linear(x, w1, b1)
        a = gelu(u)
        p = _linear(a, w2, b2)
        if kept:
            ctx.save_for_backward(*inputs, x, means, inverses, u, a, p)
        return gated(p, gate)

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        h, _, scale, gate, w1, _, w2, _, x, means, inverses, u, a, p = ctx.saved_tensors
        dp, dgate, db2 = gate_backward(p, gate, dout.contiguous())
        da, dw2 = _linear_backward(a, w2, dp)
        du, db1 = gelu_backward(u, da)
        dx, dw1 = _linear_backward(x, w1, du)
        dh, dshift, dscale = modulate_backward(h, scale, means, inverses, dx)
        return dh, dshift, dscale, dgate, dw1, db1, dw2, db2


def _split(qkv: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Queries, keys and values (B, heads, T, D / heads) within (B, T, 3 D)."""
    return qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind()


def _attention_backward(
    qkv: Tensor, heads: int, dout: Tensor, out: Tensor, logs: Tensor
) -> Tensor:
    """Return the gradient of qkv (B, T, 3 D) from that of attention's output (B, T, D)."""
    dqkv, parts = torch.empty_like(qkv), _split(qkv, heads)
    given = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (dout, out))
    (dout, out) = given
    made = _attend_backward(dout, *parts, out, logs, 0.0, False)
    for into, gradient in zip(_split(dqkv, heads), made, strict=True):
        into.copy_(gradient)
    return dqkv


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return matmul(x.flatten(0, 1), weight.mT, bias).unflatten(0, x.shape[:2])


def _linear_backward(x: Tensor, weight: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and weight, each in the memory order of its own."""
    rows, drows = x.flatten(0, 1), dout.flatten(0, 1)
    return matmul(drows, weight).view(x.shape), matmul(drows.mT, rows)
