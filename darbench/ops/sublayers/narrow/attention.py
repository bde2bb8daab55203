"""Narrow attention.

Of every token, `kept` holds qkv, p = what is gated, and LN's statistics.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.kernels import F, address, addresses, held, kernel, over_batch, part
from darbench.ops.native.products import LANES
from darbench.ops.sublayers.few_tokens import attend, attend_backward
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
def _kept(base, count, before, width):
    """The addresses of qkv, p, means and inverses, for `count` rows that begin at row `before`."""
    p = base + 12 * count * width
    means = p + 4 * count * width
    inverses, of = means + 4 * count, 4 * before
    return base - 3 * of * width, p - of * width, means - of, inverses - of


@kernel
def _attention(h, modulation, weights, kept, out, factor, shape, start, stop):
    """Fill in out (B, T, D), and kept where its address is given."""
    shift, next_shift, scale, next_scale, gate, next_gate = modulation
    w_qkv, b_qkv, w_proj, b_proj = weights
    batch, tokens, heads, features = shape
    width, padded = heads * features, -(-tokens // LANES) * LANES
    step = max(1, ROWS // tokens) * tokens
    first_columns, second_columns = width * (3 * width + LANES), width * (width + LANES)
    probabilities_size, scratch_size = heads * tokens * padded, 2 * width * padded
    own = np.empty(
        first_columns
        + second_columns
        + probabilities_size
        + scratch_size
        + step * (6 * width + 2),
        np.float32,
    )
    none = np.zeros(LANES, np.float32)
    columns1, zeros = address(own), address(none)
    columns2 = columns1 + 4 * first_columns
    probabilities = columns2 + 4 * second_columns
    scratch = probabilities + 4 * probabilities_size
    x = scratch + 4 * scratch_size
    a = x + 4 * step * width
    passing = a + 4 * step * width
    turn_weight(w_qkv, columns1, width, 3 * width)
    turn_weight(w_proj, columns2, width, width)
    for first in range(start * tokens, stop * tokens, step):
        last = min(first + step, stop * tokens)
        rows, base = last - first, 4 * first * width
        count, before = (batch * tokens, 0) if kept else (step, first)
        qkv, p, means, inverses = _kept(kept if kept else passing, count, before, width)
        statistics(h, means, inverses, width, first, last)
        modulated(
            h, means, inverses, shift, next_shift, scale, next_scale, x - base,
            tokens, width, first, last,
        )  # fmt: skip
        linear(x, columns1, b_qkv, qkv + 3 * base, width, 3 * width, rows)
        for at in range(0, 4 * rows * width, 4 * tokens * width):
            attend(
                qkv + 3 * (base + at), probabilities, a + at, scratch, zeros, factor,
                tokens, heads, features,
            )  # fmt: skip
        linear(a, columns2, b_proj, p + base, width, width, rows)
        gated(p, gate, next_gate, out, tokens, width, first, last)
    held(own)
    held(none)


@kernel
def _attention_backward(
    h, modulation, weights, kept, dout, dh, dmodulation, factor, shape, dweights, start, stop
):
    """Fill in dh (B, T, D) and dmodulation (3, B, D), and add to dweights."""
    shift, next_shift, scale, next_scale, gate, next_gate = modulation
    w_qkv, _, w_proj, _ = weights
    batch, tokens, heads, features = shape
    width, padded = heads * features, -(-tokens // LANES) * LANES
    step = max(1, ROWS // tokens) * tokens
    dshift, dscale = dmodulation, dmodulation + 4 * batch * width
    dgate = dscale + 4 * batch * width
    dw_qkv, db_qkv, dw_proj, db_proj = dweights
    probabilities_size = heads * tokens * padded
    scratch_size = (4 * width + 2 * padded) * padded
    own = np.empty(probabilities_size + scratch_size + step * 8 * width, np.float32)
    none = np.zeros(LANES, np.float32)
    probabilities, zeros = address(own), address(none)
    scratch = probabilities + 4 * probabilities_size
    x = scratch + 4 * scratch_size
    dp, da, dx = x + 4 * step * width, x + 8 * step * width, x + 12 * step * width
    a = dx + 4 * step * width
    dqkv = a + 4 * step * width
    qkv, p, means, inverses = _kept(kept, batch * tokens, 0, width)
    for first in range(start * tokens, stop * tokens, step):
        last = min(first + step, stop * tokens)
        rows, base = last - first, 4 * first * width
        gated_backward(p, gate, next_gate, dout, dp - base, dgate, tokens, width, first, last)
        linear_backward(w_proj, dp, da, zeros, width, width, rows)
        for at in range(0, 4 * rows * width, 4 * tokens * width):
            q = qkv + 3 * (base + at)
            attend(q, probabilities, a + at, scratch, zeros, factor, tokens, heads, features)
            attend_backward(
                q, probabilities, da + at, dqkv + 3 * at, scratch, zeros, factor,
                tokens, heads, features,
            )  # fmt: skip
        add_gradients(a, dp, dw_proj, db_proj, width, width, rows)
        modulated(
            h, means, inverses, shift, next_shift, scale, next_scale, x - base,
            tokens, width, first, last,
        )  # fmt: skip
        add_gradients(x, dqkv, dw_qkv, db_qkv, width, 3 * width, rows)
        linear_backward(w_qkv, dqkv, dx, zeros, width, 3 * width, rows)
        modulated_backward(
            h, means, inverses, scale, next_scale, dx - base, dh, dshift, dscale,
            tokens, width, first, last,
        )  # fmt: skip
    held(own)
    held(none)


class Attention(NativeFunction):
    """Returns what `darbench.ops.sublayers.attention` does."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *inputs, heads = given
        h, shift, scale, gate, *weights = inputs
        batch, tokens, width = h.shape
        out, rows, padded = torch.empty_like(h), batch * tokens, -(-tokens // LANES) * LANES
        keeps = any(ctx.needs_input_grad)
        kept = h.new_empty(rows * (4 * width + 2)) if keeps else 0
        features = width // heads
        given = (
            steps(shift, scale, gate),
            tuple(addresses(weights)),
            kept,
            out,
            _factor(features),
        )
        work = rows * width * (4 * width + 2 * padded)
        given = (h, *given, (batch, tokens, heads, features))
        over_batch(_attention, given, batch, work, held=inputs)
        if keeps:
            ctx.save_for_backward(*inputs, kept)
            ctx.heads = heads
        return out

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        saved = [x.contiguous() for x in ctx.saved_tensors]  # a hook may have moved them
        h, shift, scale, gate, *weights, kept = saved
        batch, tokens, width = h.shape
        features, dout = width // ctx.heads, dout.contiguous()
        dh, dmodulation = torch.empty_like(h), h.new_empty(3, batch, 1, width)
        dweights = [torch.zeros_like(w) for w in weights]
        given = (steps(shift, scale, gate), tuple(addresses(weights)), kept, dout, dh, dmodulation)
        shape = batch, tokens, ctx.heads, features
        work = batch * tokens * width * (8 * width + 5 * tokens)
        given = (h, *given, _factor(features), shape)
        over_batch(_attention_backward, given, batch, work, held=saved, sums=dweights)
        return dh, *dmodulation.unbind(), *dweights, None


def _factor(features: int) -> np.float32:
    """What the scores of a head are multiplied by."""
    return F(1 / math.sqrt(features))
