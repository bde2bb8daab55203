"""GELU on the CPU in float32, computed as x sigmoid(2 u), which equals x (1 + tanh(u)) / 2."""

import math

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import F, address, held, kernel, over_batch, part, section

SLOPE, CUBIC = F(2 * math.sqrt(2 / math.pi)), F(0.044715)
FAR = F(10)  # from where on sigmoid is 0 or 1 in float32, and from where its argument is kept
COST = 16  # multiply-adds that take as long as a number


@part
def _turned_off(x, square):
    """1 + exp(-2 u) of a vector, where 2 u = SLOPE (x + CUBIC x^3); square: x^2."""
    minus = vec.fma(square, vec.filled(-SLOPE * CUBIC, 16), vec.filled(-SLOPE, 16))
    return vec.add(vec.filled(F(1), 16), vec.exp(vec.multiply(x, minus)))


@section
def gelu_of(x, out, size):
    """Set out to GELU(x), for addresses of `size` numbers, a multiple of 16."""
    for d in range(0, 4 * size, 64):
        given = vec.load(x + d, 16)
        near = vec.within(given, FAR)
        vec.store(out + d, vec.divide(given, _turned_off(near, vec.multiply(near, near))))


@section
def gelu_and_slope(x, out, slope, size):
    """Set out to GELU(x), and slope to its derivative."""
    one, steep = vec.filled(F(1), 16), vec.filled(F(3) * SLOPE * CUBIC, 16)
    for d in range(0, 4 * size, 64):
        given = vec.load(x + d, 16)
        near = vec.within(given, FAR)
        square = vec.multiply(near, near)
        s = vec.divide(one, _turned_off(near, square))
        vec.store(out + d, vec.multiply(given, s))
        du = vec.fma(square, steep, vec.filled(SLOPE, 16))
        ds = vec.multiply(vec.multiply(near, du), vec.subtract(one, s))
        vec.store(slope + d, vec.fma(s, ds, s))


@kernel
def _gelu(x, out, start, stop):
    gelu_of(x + 64 * start, out + 64 * start, 16 * (stop - start))


@kernel
def _gelu_backward(x, dout, width, sums, start, stop):
    """Multiply dout (rows, width) by the slope at x, and add its rows to sums."""
    (total,) = sums
    own = np.empty(2 * width, np.float32)
    out, slope = address(own), address(own) + 4 * width
    for r in range(4 * start * width, 4 * stop * width, 4 * width):
        gelu_and_slope(x + r, out, slope, width)
        for d in range(0, 4 * width, 64):
            dx = vec.multiply(vec.load(dout + r + d, 16), vec.load(slope + d, 16))
            vec.store(dout + r + d, dx)
            vec.store(total + d, vec.add(vec.load(total + d, 16), dx))
    held(own)


def gelu(x: Tensor) -> Tensor:
    """Return GELU(x) of contiguous x, the numbers of which are a multiple of 16."""
    out = torch.empty_like(x)
    over_batch(_gelu, (x, out), x.numel() // 16, COST * x.numel())
    return out


def gelu_backward(x: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of x (..., width), made in the place of dout, and the sum of its rows.

    The width is a multiple of 16.
    """
    width = x.shape[-1]
    total, rows = x.new_zeros(width), x.numel() // width
    over_batch(_gelu_backward, (x, dout, width), rows, COST * x.numel(), sums=[total])
    return dout, total
