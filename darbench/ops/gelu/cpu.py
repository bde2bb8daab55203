"""GELU on the CPU in float32, computed as x sigmoid(2 u), which equals x (1 + tanh(u)) / 2."""

import math
from typing import Any

import torch
from torch import Tensor

from darbench.ops.native.kernels import F, kernel, over_batch, row, sigmoid

SLOPE, CUBIC = F(2 * math.sqrt(2 / math.pi)), F(0.044715)
COST = 16  # multiply-adds that take as long as an element


@kernel
def _forward(x, out, start, stop):
    size = stop - start
    x, out = row(x, start, size), row(out, start, size)
    for d in range(size):
        out[d] = x[d] * sigmoid(SLOPE * x[d] * (F(1) + CUBIC * x[d] * x[d]))


@kernel
def _backward(x, grad, out, start, stop):
    size = stop - start
    x, grad, out = row(x, start, size), row(grad, start, size), row(out, start, size)
    for d in range(size):
        cubic = CUBIC * x[d] * x[d]
        s = sigmoid(SLOPE * x[d] * (F(1) + cubic))
        out[d] = grad[d] * s * (F(1) + x[d] * (F(1) - s) * SLOPE * (F(1) + F(3) * cubic))


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        over_batch(_forward, (x, out), x.numel(), COST * x.numel())
        ctx.save_for_backward(x)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            return torch.ops.aten.gelu_backward(grad, x, approximate="tanh")
        out = torch.empty_like(x)
        over_batch(_backward, (x, grad.contiguous(), out), x.numel(), COST * x.numel())
        return out
