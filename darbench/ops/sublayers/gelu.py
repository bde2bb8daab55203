"""GELU on the CPU in float32, computed as x sigmoid(2 u), which equals x (1 + tanh(u)) / 2."""

import math

import torch
from torch import Tensor

from darbench.ops.native.kernels import F, kernel, over_batch, part, row, sigmoid

SLOPE, CUBIC = F(2 * math.sqrt(2 / math.pi)), F(0.044715)
COST = 16  # multiply-adds that take as long as a number


@part
def gelu_of(x, out, size):
    """Set out to GELU(x), for addresses of `size` numbers."""
    x, out = row(x, 0, size), row(out, 0, size)
    for d in range(size):
        out[d] = x[d] * sigmoid(SLOPE * x[d] * (F(1) + CUBIC * x[d] * x[d]))


@part
def gelu_and_slope(x, out, slope, size):
    """Set out to GELU(x), and slope to its derivative."""
    x, out, slope = row(x, 0, size), row(out, 0, size), row(slope, 0, size)
    for d in range(size):
        cubic = CUBIC * x[d] * x[d]
        s = sigmoid(SLOPE * x[d] * (F(1) + cubic))
        out[d] = x[d] * s
        slope[d] = s * (F(1) + x[d] * (F(1) - s) * SLOPE * (F(1) + F(3) * cubic))


@kernel
def _gelu(x, out, start, stop):
    gelu_of(x + 4 * start, out + 4 * start, stop - start)


@kernel
def _gelu_and_slope(x, out, slope, start, stop):
    gelu_and_slope(x + 4 * start, out + 4 * start, slope + 4 * start, stop - start)


def gelu(x: Tensor, with_slope: bool) -> tuple[Tensor, Tensor | None]:
    """Return GELU(x) of contiguous x, and its derivative where that is wanted."""
    out = torch.empty_like(x)
    if not with_slope:
        over_batch(_gelu, (x, out), x.numel(), COST * x.numel())
        return out, None
    slope = torch.empty_like(x)
    over_batch(_gelu_and_slope, (x, out, slope), x.numel(), COST * x.numel())
    return out, slope
