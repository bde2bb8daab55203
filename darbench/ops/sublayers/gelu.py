"""GELU on the CPU in float32, computed as x sigmoid(2 u), which equals x (1 + tanh(u)) / 2."""

import math

import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import F, kernel, over_batch, part

SLOPE, CUBIC = F(2 * math.sqrt(2 / math.pi)), F(0.044715)
FAR = F(10)  # from where on sigmoid is 0 or 1 in float32, and from where its argument is kept
COST = 16  # multiply-adds that take as long as a number


@part
def _sigmoid(x, cubic):
    """sigmoid(2 u) of a vector, where cubic = CUBIC x^2."""
    one = vec.filled(F(1), 16)
    u = vec.multiply(vec.multiply(vec.filled(-SLOPE, 16), x), vec.add(one, cubic))
    return vec.divide(one, vec.add(one, vec.exp(u)))


@part
def gelu_of(x, out, size):
    """Set out to GELU(x), for addresses of `size` numbers, a multiple of 16."""
    for d in range(0, 4 * size, 64):
        given = vec.load(x + d, 16)
        near = vec.within(given, FAR)
        cubic = vec.multiply(vec.filled(CUBIC, 16), vec.multiply(near, near))
        vec.store(out + d, vec.multiply(given, _sigmoid(near, cubic)))


@part
def gelu_and_slope(x, out, slope, size):
    """Set out to GELU(x), and slope to its derivative."""
    one, three = vec.filled(F(1), 16), vec.filled(F(3), 16)
    for d in range(0, 4 * size, 64):
        given = vec.load(x + d, 16)
        near = vec.within(given, FAR)
        cubic = vec.multiply(vec.filled(CUBIC, 16), vec.multiply(near, near))
        s = _sigmoid(near, cubic)
        vec.store(out + d, vec.multiply(given, s))
        du = vec.multiply(vec.filled(SLOPE, 16), vec.fma(three, cubic, one))
        ds = vec.multiply(vec.multiply(near, du), vec.subtract(one, s))
        vec.store(slope + d, vec.fma(s, ds, s))


@kernel
def _gelu(x, out, start, stop):
    gelu_of(x + 64 * start, out + 64 * start, 16 * (stop - start))


@kernel
def _gelu_and_slope(x, out, slope, start, stop):
    first = 64 * start
    gelu_and_slope(x + first, out + first, slope + first, 16 * (stop - start))


def gelu(x: Tensor, with_slope: bool) -> tuple[Tensor, Tensor | None]:
    """Return GELU(x) of contiguous x, and its derivative where that is wanted.

    The numbers of x are a multiple of 16.
    """
    out, vectors = torch.empty_like(x), x.numel() // 16
    if not with_slope:
        over_batch(_gelu, (x, out), vectors, COST * x.numel())
        return out, None
    slope = torch.empty_like(x)
    over_batch(_gelu_and_slope, (x, out, slope), vectors, COST * x.numel())
    return out, slope
