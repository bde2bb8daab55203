"""Linears on the CPU in float32: narrow ones here, whose weights stay in the cache, others torch's."""

import numpy as np
from torch import Tensor
from torch.nn import functional

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import F, kernel, over_batch
from darbench.ops.native.products import LANES, panel, turned

NARROW = 1 << 14  # weights, which stay in the nearest caches of a core
TOKENS = 64  # whose inputs and gradients are added to a gradient of weights at a time


def takes(weight: Tensor) -> bool:
    """Whether the kernels are faster than torch's."""
    return weight.numel() <= NARROW and all(n % LANES == 0 for n in weight.shape)


@kernel
def _forward(x, weight, bias, out, inputs, outputs, start, stop):
    """Fill in the rows start .. stop of out (N, outputs)."""
    step = outputs + LANES  # columns of a power of two would lie in the same part of the cache
    columns = np.empty(inputs * step, np.float32)
    w = columns.ctypes.data
    turned(weight, inputs, outputs, inputs, w, step)
    a, rows = x + 4 * start * inputs, stop - start
    for o in range(0, outputs, LANES):
        to = out + 4 * (start * outputs + o)
        panel(a, inputs, 1, w + 4 * o, step, rows, inputs, bias + 4 * o, 0, to, outputs)


@kernel
def _backward(weight, dout, dx, inputs, outputs, start, stop):
    """Fill in the rows start .. stop of dx (N, inputs) = dout weight."""
    none = np.zeros(LANES, np.float32)
    zero = none.ctypes.data
    a, rows = dout + 4 * start * outputs, stop - start
    for i in range(0, inputs, LANES):
        to = dx + 4 * (start * inputs + i)
        panel(a, outputs, 1, weight + 4 * i, inputs, rows, outputs, zero, 0, to, inputs)


@kernel
def _weights(x, dout, dweight, dbias, tokens, inputs, outputs, start, stop):
    """Fill in dweight = dout^T x and dbias = sum_n dout for the outputs 16 start .. 16 stop."""
    none = np.zeros(LANES, np.float32)
    for o in range(LANES * start, LANES * stop, LANES):
        total = vec.filled(F(0), 16)
        for first in range(0, tokens, TOKENS):
            count = min(TOKENS, tokens - first)
            g = dout + 4 * (first * outputs + o)
            for i in range(0, inputs, LANES):
                to, of = dweight + 4 * (o * inputs + i), x + 4 * (first * inputs + i)
                begin, step = (to, inputs) if first else (none.ctypes.data, 0)
                panel(g, 1, outputs, of, inputs, LANES, count, begin, step, to, inputs)
            for n in range(0, 4 * count * outputs, 4 * outputs):
                total = vec.add(total, vec.load(g + n, 16))
        vec.store(dbias + 4 * o, total)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x weight^T + bias for contiguous x (B, T, inputs)."""
    if not takes(weight):
        return functional.linear(x, weight, bias)
    outputs, inputs = weight.shape
    out = x.new_empty(*x.shape[:-1], outputs)
    rows = x.numel() // inputs
    over_batch(_forward, (x, weight, bias, out, inputs, outputs), rows, rows * weight.numel())
    return out


def linear_backward(x: Tensor, weight: Tensor, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight and bias, each in the memory order of its own."""
    if not takes(weight):
        flat = dout.flatten(0, 1)
        return dout @ weight, flat.mT @ x.flatten(0, 1), flat.sum(0)
    outputs, inputs = weight.shape
    dx, dweight, dbias = x.new_empty(x.shape), x.new_empty(weight.shape), x.new_empty(outputs)
    rows = x.numel() // inputs
    work = rows * weight.numel()
    over_batch(_backward, (weight, dout, dx, inputs, outputs), rows, work)
    given = (x, dout, dweight, dbias, rows, inputs, outputs)
    over_batch(_weights, given, outputs // LANES, work)
    return dx, dweight, dbias
