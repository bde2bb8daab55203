"""The narrow MLP.

Of every token, `kept` holds u = fc1's output, p = what is gated, and LN's statistics.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.kernels import address, addresses, held, kernel, over_batch, part
from darbench.ops.native.products import LANES
from darbench.ops.sublayers.gelu import COST, gelu_and_slope, gelu_of
from darbench.ops.sublayers.linear import add_gradients, linear, linear_backward, turn_weight
from darbench.ops.sublayers.modulation import (
    gated,
    gated_backward,
    modulated,
    modulated_backward,
    statistics,
)
from darbench.ops.sublayers.narrow import ROWS, steps


@part
def _kept(base, count, before, width, hidden):
    """The addresses of u, p, means and inverses, for `count` rows that begin at row `before`."""
    p = base + 4 * count * hidden
    means = p + 4 * count * width
    inverses = means + 4 * count
    of = 4 * before
    return base - of * hidden, p - of * width, means - of, inverses - of


@kernel
def _mlp(h, modulation, weights, kept, out, shape, start, stop):
    """Fill in out (B, T, D), and kept where its address is given."""
    shift, next_shift, scale, next_scale, gate, next_gate = modulation
    w1, b1, w2, b2 = weights
    batch, tokens, width, hidden = shape
    first_columns, second_columns = width * (hidden + LANES), hidden * (width + LANES)
    own = np.empty(
        first_columns + second_columns + ROWS * (2 * width + 2 * hidden + 2), np.float32
    )
    columns1 = address(own)
    columns2 = columns1 + 4 * first_columns
    x = columns2 + 4 * second_columns
    a = x + 4 * ROWS * width
    passing = a + 4 * ROWS * hidden
    turn_weight(w1, columns1, width, hidden)
    turn_weight(w2, columns2, hidden, width)
    for first in range(start * tokens, stop * tokens, ROWS):
        last = min(first + ROWS, stop * tokens)
        rows = last - first
        if kept:
            u, p, means, inverses = _kept(kept, batch * tokens, 0, width, hidden)
        else:
            u, p, means, inverses = _kept(passing, ROWS, first, width, hidden)
        statistics(h, means, inverses, width, first, last)
        modulated(
            h, means, inverses, shift, next_shift, scale, next_scale, x - 4 * first * width,
            tokens, width, first, last,
        )  # fmt: skip
        linear(x, columns1, b1, u + 4 * first * hidden, width, hidden, rows)
        gelu_of(u + 4 * first * hidden, a, rows * hidden)
        linear(a, columns2, b2, p + 4 * first * width, hidden, width, rows)
        gated(p, gate, next_gate, out, tokens, width, first, last)
    held(own)


@kernel
def _mlp_backward(
    h, modulation, weights, kept, dout, dh, dmodulation, shape, dweights, start, stop
):
    """Fill in dh (B, T, D) and dmodulation (3, B, D), and add to dweights."""
    shift, next_shift, scale, next_scale, gate, next_gate = modulation
    w1, _, w2, _ = weights
    batch, tokens, width, hidden = shape
    dshift, dscale = dmodulation, dmodulation + 4 * batch * width
    dgate = dscale + 4 * batch * width
    dw1, db1, dw2, db2 = dweights
    own = np.empty(ROWS * (3 * width + 3 * hidden), np.float32)
    none = np.zeros(LANES, np.float32)
    x, zeros = address(own), address(none)
    dp, dx = x + 4 * ROWS * width, x + 8 * ROWS * width
    a = dx + 4 * ROWS * width
    slope, du = a + 4 * ROWS * hidden, a + 8 * ROWS * hidden
    u, p, means, inverses = _kept(kept, batch * tokens, 0, width, hidden)
    for first in range(start * tokens, stop * tokens, ROWS):
        last = min(first + ROWS, stop * tokens)
        rows, before = last - first, 4 * first * width
        gated_backward(p, gate, next_gate, dout, dp - before, dgate, tokens, width, first, last)
        linear_backward(w2, dp, du, zeros, hidden, width, rows)
        gelu_and_slope(u + 4 * first * hidden, a, slope, rows * hidden)
        add_gradients(a, dp, dw2, db2, hidden, width, rows)
        _multiply(slope, du, rows * hidden)
        modulated(
            h, means, inverses, shift, next_shift, scale, next_scale, x - before,
            tokens, width, first, last,
        )  # fmt: skip
        add_gradients(x, du, dw1, db1, width, hidden, rows)
        linear_backward(w1, du, dx, zeros, width, hidden, rows)
        modulated_backward(
            h, means, inverses, scale, next_scale, dx - before, dh, dshift, dscale,
            tokens, width, first, last,
        )  # fmt: skip
    held(own)
    held(none)


@part
def _multiply(x, out, size):
    """Multiply out by x; size: a multiple of 16."""
    for d in range(0, 4 * size, 64):
        vec.store(out + d, vec.multiply(vec.load(out + d, 16), vec.load(x + d, 16)))


class Mlp(NativeFunction):
    """Returns what `darbench.ops.sublayers.mlp` does."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        h, shift, scale, gate, *weights = inputs
        batch, tokens, width = h.shape
        hidden = len(weights[0])
        out, rows = torch.empty_like(h), batch * tokens
        keeps = any(ctx.needs_input_grad)
        kept = h.new_empty(rows * (hidden + width + 2)) if keeps else 0
        given = (steps(shift, scale, gate), tuple(addresses(weights)), kept, out)
        shape = batch, tokens, width, hidden
        work = rows * hidden * (2 * width + COST)
        over_batch(_mlp, (h, *given, shape), batch, work, held=inputs)
        if keeps:
            ctx.save_for_backward(*inputs, kept)
        return out

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor, ...]:
        saved = [x.contiguous() for x in ctx.saved_tensors]  # a hook may have moved them
        h, shift, scale, gate, *weights, kept = saved
        batch, tokens, width = h.shape
        hidden, dout = len(weights[0]), dout.contiguous()
        dh, dmodulation = torch.empty_like(h), h.new_empty(3, batch, 1, width)
        dweights = [torch.zeros_like(w) for w in weights]
        given = (steps(shift, scale, gate), tuple(addresses(weights)), kept, dout, dh, dmodulation)
        shape = batch, tokens, width, hidden
        work = batch * tokens * hidden * (4 * width + COST)
        given = (h, *given, shape)
        over_batch(_mlp_backward, given, batch, work, held=saved, sums=dweights)
        return dh, *dmodulation.unbind(), *dweights
