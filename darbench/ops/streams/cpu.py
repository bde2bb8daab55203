"""Parallel residual streams on the CPU in float32, token by token.

Weights are not copied but read by their strides, for they are columns of one product.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.kernels import address, held, kernel, over_batch, part, row
from darbench.ops.streams.rows import aligned, block_of, combine, dots
from darbench.ops.streams.trail import owned
from darbench.ops.streams.writing import write, write_backward


@kernel
def _read(weights, steps, streams, count, width, h, tokens, start, stop):
    """Fill in h (B T, D) from weights (B T or 1, S) and the streams (B T, S, D).

    steps: strides of the weights in bytes, 0 from token to token where there is one row of them.
    """
    span, first, n = 4 * width, start * tokens, (stop - start) * tokens
    w, x, whole = weights + first * steps[0], streams + first * count * span, count * span
    combine(w, steps[0], steps[1], x, count, whole, span, h + first * span, span, n)


@part
def _add(x, out):
    for i in range(out.size):
        out[i] += x[i]


@kernel
def _read_backward(
    weights, steps, streams, count, width, grad, dweights, dstreams, tokens, start, stop
):
    """Add to dweights (B T or B, S), and to dstreams (B T, S, D)."""
    span, found = 4 * width, np.empty((tokens, count), np.float32)
    whole = count * span
    for b in range(start, stop):
        first = b * tokens
        g, x = grad + first * span, streams + first * whole
        dots(g, span, x, count, whole, span, address(found), 4 * count, tokens)
        for r in range(tokens):
            _add(found[r], row(dweights, (first + r if steps[0] else b) * count, count))
        for r in range(first, first + tokens):
            for s in range(count):
                share, into = vec.filled_from(weights + r * steps[0] + s * steps[1], 16), r * whole
                for d in range(0, span, 64):
                    at = dstreams + into + s * span + d
                    gd = vec.load(grad + r * span + d, 16)
                    vec.store(at, vec.fma(share, gd, vec.load(at, 16)))
    held(found)


@kernel
def _write(mix, mix_steps, weights, steps, streams, v, lines, width, new, tokens, start, stop):
    """Fill in new (B T, S, D) from mix (B T or 1, S, S), weights (B T or 1, S) and v (B T, D)."""
    count = len(lines)
    span, first, n = 4 * width, start * tokens, (stop - start) * tokens
    m, w, at = mix + first * mix_steps[0], weights + first * steps[0], first * count * span
    write(m, mix_steps, w, steps, streams + at, v + first * span, count, span, new + at, n)


@kernel
def _write_backward(
    mix,
    mix_steps,
    weights,
    steps,
    streams,
    v,
    lines,
    width,
    dmix,
    dweights,
    dv,
    dstreams,
    tokens,
    block,
    start,
    stop,
):
    """Add to dmix and dweights (B T or B, ...), set dv (B T, D), and replace the gradient of new
    by dstreams (B T, S, D)."""
    count = len(lines)
    span, whole, square = 4 * width, 4 * count * width, count * count
    scratch = np.empty(block * count * width + 16, np.float32)
    dm, dw = np.empty((block, square), np.float32), np.empty((block, count), np.float32)
    g, to_m, to_w = aligned(address(scratch)), address(dm), address(dw)
    for b in range(start, stop):
        for first in range(b * tokens, (b + 1) * tokens, block):
            n, at = min(block, (b + 1) * tokens - first), first * whole
            m, w = mix + first * mix_steps[0], weights + first * steps[0]
            x, dx, v_r, dv_r = streams + at, dstreams + at, v + first * span, dv + first * span
            for d in range(0, n * whole, 64):
                vec.store(g + d, vec.load(dx + d, 16))
            dots(v_r, span, g, count, whole, span, to_w, 4 * count, n)
            combine(w, steps[0], steps[1], g, count, whole, span, dv_r, span, n)
            write_backward(m, mix_steps, x, g, count, span, to_m, 4 * count, 4 * square, dx, n)
            for r in range(n):
                own = first + r
                _add(dw[r], row(dweights, (own if steps[0] else b) * count, count))
                _add(dm[r], row(dmix, (own if mix_steps[0] else b) * square, square))
    held(scratch)
    held(dm)
    held(dw)


def _steps(weights: Tensor, own: int) -> tuple[Tensor, tuple[int, ...]]:
    """Return weights (B, T, ...) or (...), with `own` last axes, and their strides in bytes.

    The first stride is from token to token, 0 where all share them; the others are of the `own`
    axes.
    """
    if weights.dim() == own:
        return weights, (0, *(4 * step for step in weights.stride()))
    batch, tokens = weights.shape[:2]
    token = weights.stride(1 if tokens > 1 else 0)
    if batch * tokens > 1 and (token == 0 or (batch > 1 and weights.stride(0) != tokens * token)):
        return _steps(weights.contiguous(), own)
    return weights, (4 * token, *(4 * step for step in weights.stride()[2:]))


def _zeros(weights: Tensor, steps: tuple[int, ...], streams: Tensor) -> Tensor:
    """Zeros to add the gradient of weights up in: by token, or by element of the batch."""
    shared = (len(streams),) if steps[0] == 0 else ()
    return weights.new_zeros(*shared, *weights.shape)


def _summed(gradient: Tensor, steps: tuple[int, ...]) -> Tensor:
    """The gradient of the weights, summed over the batch where all tokens share them."""
    return gradient if steps[0] else gradient.sum(0)


class Read(NativeFunction):
    """Returns h, and the streams for the next reader."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, streams: Tensor):
        batch, tokens, count, width = streams.shape
        weights, steps = _steps(weights, 1)
        h = streams.new_empty(batch, tokens, width)
        arguments = weights, steps, streams, count, width, h, tokens
        over_batch(_read, arguments, batch, streams.numel())
        ctx.save_for_backward(weights, streams)
        ctx.set_materialize_grads(False)
        return h, streams

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor | None, trail: Tensor | None):
        if grad is None:
            return None, trail
        weights, streams = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        (weights, steps), grad = _steps(weights, 1), grad.contiguous()
        dweights, into = _zeros(weights, steps, streams), owned(streams, trail)
        arguments = weights, steps, streams, count, width, grad, dweights, into, tokens
        over_batch(_read_backward, arguments, batch, 2 * streams.numel())
        return _summed(dweights, steps), into


class Write(NativeFunction):
    """Returns mix streams + weights v, and the same for the next reader."""

    @staticmethod
    def forward(ctx: Any, mix: Tensor, streams: Tensor, weights: Tensor, v: Tensor):
        batch, tokens, count, width = streams.shape
        (mix, mix_steps), (weights, steps) = _steps(mix, 2), _steps(weights, 1)
        new = torch.empty_like(streams)
        given = mix, mix_steps, weights, steps, streams, v, (0,) * count, width
        over_batch(_write, (*given, new, tokens), batch, (count + 1) * streams.numel())
        ctx.save_for_backward(mix, streams, weights, v)
        ctx.set_materialize_grads(False)
        return new, new.detach()

    @staticmethod
    @first_order
    def backward(ctx: Any, dnew: Tensor | None, trail: Tensor | None):
        mix, streams, weights, v = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        (mix, mix_steps), (weights, steps) = _steps(mix, 2), _steps(weights, 1)
        dmix, dweights = _zeros(mix, mix_steps, streams), _zeros(weights, steps, streams)
        dv, into = torch.empty_like(v), owned(streams, trail, dnew)
        given = mix, mix_steps, weights, steps, streams, v, (0,) * count, width
        work = (2 * count + 2) * streams.numel()
        made = dmix, dweights, dv, into, tokens, block_of(streams)
        over_batch(_write_backward, (*given, *made), batch, work)
        return _summed(dmix, mix_steps), into, _summed(dweights, steps), dv
