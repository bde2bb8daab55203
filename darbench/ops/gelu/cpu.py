"""GELU on the CPU in float32, as x sigmoid(2 u), which is what x (1 + tanh(u)) / 2 comes to."""

import math
from typing import Any

import torch
from torch import Tensor

from darbench.ops.native.kernels import F, kernel, over_batch, row, sigmoid

SLOPE, CUBIC = F(2 * math.sqrt(2 / math.pi)), F(0.044715)
COST = 16  # of an element, in multiply-adds


@kernel
def _forward(x, out, width, start, stop):
    size = (stop - start) * width
    x, out = row(x, start * width, size), row(out, start * width, size)
    for d in range(size):
        out[d] = x[d] * sigmoid(SLOPE * x[d] * (F(1) + CUBIC * x[d] * x[d]))


@kernel
def _backward(x, grad, out, width, start, stop):
    size = (stop - start) * width
    x, grad = row(x, start * width, size), row(grad, start * width, size)
    out = row(out, start * width, size)
    for d in range(size):
        cubic = CUBIC * x[d] * x[d]
        s = sigmoid(SLOPE * x[d] * (F(1) + cubic))
        out[d] = grad[d] * s * (F(1) + x[d] * (F(1) - s) * SLOPE * (F(1) + F(3) * cubic))


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        _over_rows(_forward, x, out)
        ctx.save_for_backward(x)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            return torch.ops.aten.gelu_backward(grad, x, approximate="tanh")
        out = torch.empty_like(x)
        _over_rows(_backward, x, grad.contiguous(), out)
        return out


def _over_rows(kernel: Any, *tensors: Tensor) -> None:
    width = tensors[0].shape[-1]
    addresses = [x.data_ptr() for x in tensors]
    over_batch(kernel, (*addresses, width), tensors[0].numel() // width, COST * tensors[0].numel())
