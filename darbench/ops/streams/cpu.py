"""Parallel residual streams on the CPU in float32, token by token.

Weights are not copied but read by their strides, for they are columns of one product.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native.autograd import first_order
from darbench.ops.native.kernels import (
    F,
    add_combination,
    dot_products,
    kernel,
    over_batch,
    part,
    row,
    rows_of,
)


@part
def _copy(address, start, step, out):
    for i in range(out.size):
        out[i] = row(address, start + i * step, 1)[0]


@kernel
def _read(weights, steps, streams, width, out, tokens, start, stop):
    """Fill in out (B T, D) from weights (B T or 1, S) and the streams.

    steps: strides of the weights, 0 from token to token where there is one row of them; streams:
    addresses of X_s of token 0.
    """
    count = streams.size
    w = np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        _copy(weights, r * steps[0], steps[1], w)
        h = row(out, r * width, width)
        h[:] = F(0)
        add_combination(w, streams, r * count * width, h)


@kernel
def _read_backward(weights, steps, streams, width, grad, dweights, dstreams, tokens, start, stop):
    """Add to dweights (B T or B, S), and to dstreams (B T, S, D)."""
    count = streams.size
    w, dots = np.empty(count, np.float32), np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        _copy(weights, r * steps[0], steps[1], w)
        g, at = row(grad, r * width, width), r * count * width
        dot_products(g, streams, at, dots)
        dw = row(dweights, (r if steps[0] else r // tokens) * count, count)
        dw += dots
        for s in range(count):
            ws, into = w[s], row(dstreams, at + s * width, width)
            for d in range(width):
                into[d] += ws * g[d]


@kernel
def _write(mix, mix_steps, weights, steps, streams, v, width, out, tokens, start, stop):
    """Fill in out (B T, S, D) from mix (B T or 1, S, S), weights (B T or 1, S) and v (B T, D)."""
    count = streams.size
    m = np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        vr, at = row(v, r * width, width), r * count * width
        for i in range(count):
            wi = row(weights, r * steps[0] + i * steps[1], 1)[0]
            into = row(out, at + i * width, width)
            for d in range(width):
                into[d] = wi * vr[d]
            _copy(mix, r * mix_steps[0] + i * mix_steps[1], mix_steps[2], m)
            add_combination(m, streams, at, into)


@kernel
def _write_backward(
    mix,
    mix_steps,
    weights,
    steps,
    streams,
    v,
    width,
    grads,
    dmix,
    dweights,
    dstreams,
    dv,
    tokens,
    start,
    stop,
):
    """Add to dmix, dweights (B T or B, ...); set dstreams and dv. grads: addresses of grad."""
    count = streams.size
    dots, m = np.empty(count, np.float32), np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        b, at = r // tokens, r * count * width
        dot_products(row(v, r * width, width), grads, at, dots)
        dw = row(dweights, (r if steps[0] else b) * count, count)
        dw += dots
        _copy(weights, r * steps[0], steps[1], m)
        dvr = row(dv, r * width, width)
        dvr[:] = F(0)
        add_combination(m, grads, at, dvr)
        for i in range(count):
            dot_products(row(grads[i], at, width), streams, at, dots)
            dm = row(dmix, ((r if mix_steps[0] else b) * count + i) * count, count)
            dm += dots
            _copy(mix, r * mix_steps[0] + i * mix_steps[2], mix_steps[1], m)
            into = row(dstreams, at + i * width, width)
            into[:] = F(0)
            add_combination(m, grads, at, into)


def _steps(weights: Tensor, own: int) -> tuple[Tensor, tuple[int, ...]]:
    """Return weights (B, T, ...) or (...), with `own` last axes, and their strides.

    The first stride is from token to token, 0 where all share them; the others are of the `own`
    axes.
    """
    if weights.dim() == own:
        return weights, (0, *weights.stride())
    batch, tokens = weights.shape[:2]
    token = weights.stride(1 if tokens > 1 else 0)
    if batch * tokens > 1 and (token == 0 or (batch > 1 and weights.stride(0) != tokens * token)):
        return _steps(weights.contiguous(), own)
    return weights, (token, *weights.stride()[2:])


def _zeros(weights: Tensor, steps: tuple[int, ...], streams: Tensor) -> Tensor:
    """Zeros to add the gradient of weights up in: by token, or by element of the batch."""
    shared = (len(streams),) if steps[0] == 0 else ()
    return weights.new_zeros(*shared, *weights.shape)


def _summed(gradient: Tensor, steps: tuple[int, ...]) -> Tensor:
    """The gradient of the weights, summed over the batch where all tokens share them."""
    return gradient if steps[0] else gradient.sum(0)


class Read(torch.autograd.Function):
    """Returns h, and the streams for the next reader."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, streams: Tensor):
        batch, tokens, _, width = streams.shape
        weights, steps = _steps(weights, 1)
        h = streams.new_empty(batch, tokens, width)
        arguments = weights, steps, rows_of(streams), width, h, tokens
        over_batch(_read, arguments, batch, streams.numel(), held=(streams,))
        ctx.save_for_backward(weights, streams)
        ctx.set_materialize_grads(False)
        return h, streams

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor | None, trail: Tensor | None):
        if grad is None:
            return None, trail
        weights, streams = ctx.saved_tensors
        batch, tokens, _, width = streams.shape
        (weights, steps), grad = _steps(weights, 1), grad.contiguous()
        dweights = _zeros(weights, steps, streams)
        into = torch.zeros_like(streams) if trail is None else trail
        arguments = weights, steps, rows_of(streams), width, grad, dweights, into, tokens
        over_batch(_read_backward, arguments, batch, 2 * streams.numel(), held=(streams,))
        return _summed(dweights, steps), into


class Write(torch.autograd.Function):
    """Returns mix streams + weights v."""

    @staticmethod
    def forward(ctx: Any, mix: Tensor, streams: Tensor, weights: Tensor, v: Tensor):
        batch, tokens, count, width = streams.shape
        (mix, mix_steps), (weights, steps) = _steps(mix, 2), _steps(weights, 1)
        out = torch.empty_like(streams)
        arguments = mix, mix_steps, weights, steps, rows_of(streams), v, width, out, tokens
        over_batch(_write, arguments, batch, (count + 1) * streams.numel(), held=(streams,))
        ctx.save_for_backward(mix, streams, weights, v)
        return out

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor):
        mix, streams, weights, v = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        (mix, mix_steps), (weights, steps) = _steps(mix, 2), _steps(weights, 1)
        grad = grad.contiguous()
        dmix, dweights = _zeros(mix, mix_steps, streams), _zeros(weights, steps, streams)
        dstreams, dv = torch.empty_like(streams), torch.empty_like(v)
        arguments = (
            mix,
            mix_steps,
            weights,
            steps,
            rows_of(streams),
            v,
            width,
            rows_of(grad),
            dmix,
            dweights,
            dstreams,
            dv,
            tokens,
        )
        work = (2 * count + 2) * streams.numel()
        over_batch(_write_backward, arguments, batch, work, held=(streams, grad))
        return _summed(dmix, mix_steps), dstreams, _summed(dweights, steps), dv
