"""Parallel residual streams on the CPU in float32, token by token."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from darbench.ops.native.kernels import (
    F,
    add_combination,
    addresses,
    dot_products,
    kernel,
    over_batch,
)


@kernel
def _read(weights, step, streams, out, tokens, start, stop):
    """out (B T, D); weights (B T or 1, S), step 1 or 0; streams: addresses of X_s of token 0."""
    count, size = streams.size, out.shape[1]
    for r in range(start * tokens, stop * tokens):
        out[r] = F(0)
        add_combination(weights[r * step], streams, r * count * size, out[r])


@kernel
def _read_backward(weights, step, streams, grad, dweights, dstreams, tokens, start, stop):
    """Adds to dweights (B T or B, S), and to dstreams (B T, S, D)."""
    count, size = streams.size, grad.shape[1]
    dots = np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        w, g = weights[r * step], grad[r]
        dot_products(g, streams, r * count * size, dots)
        dweights[r if step else r // tokens] += dots
        for s in range(count):
            ws, into = w[s], dstreams[r, s]
            for d in range(size):
                into[d] += ws * g[d]


@kernel
def _write(mix, mix_step, weights, step, streams, v, out, tokens, start, stop):
    """out (B T, S, D); mix (B T or 1, S, S), weights (B T or 1, S), v (B T, D)."""
    count, size = streams.size, v.shape[1]
    for r in range(start * tokens, stop * tokens):
        m, w, vr = mix[r * mix_step], weights[r * step], v[r]
        for i in range(count):
            wi, into = w[i], out[r, i]
            for d in range(size):
                into[d] = wi * vr[d]
            add_combination(m[i], streams, r * count * size, into)


@kernel
def _write_backward(
    mix, mix_step, weights, step, streams, v, grads, grad, dmix, dweights, dstreams, dv, tokens,
    start, stop,
):  # fmt: skip
    """Adds to dmix, dweights (B T or B, ...); sets dstreams and dv. grads: addresses of grad."""
    count, size = streams.size, v.shape[1]
    dots, column = np.empty(count, np.float32), np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        b, m, at = r // tokens, mix[r * mix_step], r * count * size
        dot_products(v[r], grads, at, dots)
        dweights[r if step else b] += dots
        dv[r] = F(0)
        add_combination(weights[r * step], grads, at, dv[r])
        for i in range(count):
            dot_products(grad[r, i], streams, at, dots)
            dmix[r if mix_step else b, i] += dots
            column[:] = m[:, i]
            dstreams[r, i] = F(0)
            add_combination(column, grads, at, dstreams[r, i])


def _streams(x: Tensor) -> np.ndarray:
    """Addresses of the S streams of token 0."""
    return addresses(x.view(-1, *x.shape[-2:])[0])


def _rows(weights: Tensor, streams: Tensor) -> tuple[np.ndarray, int]:
    """(B T or 1, ...) and 1 or 0, the step from one token to the next."""
    per_token = weights.dim() > 2 and weights.shape[:2] == streams.shape[:2]
    own = weights.shape[2:] if per_token else weights.shape
    return weights.contiguous().view(-1, *own).numpy(), int(per_token)


def _zeros(weights: Tensor, step: int, streams: Tensor) -> Tensor:
    """Where the gradient of weights adds up: by token, or by element of the batch."""
    batch, tokens = streams.shape[:2]
    own = weights.shape[2:] if step else weights.shape
    return torch.zeros(batch * tokens if step else batch, *own)


class Read(torch.autograd.Function):
    """(h, streams), the streams handed on."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, streams: Tensor):
        batch, tokens, _, width = streams.shape
        rows, step = _rows(weights, streams)
        h = torch.empty(batch, tokens, width)
        arguments = rows, step, _streams(streams), h.view(-1, width).numpy(), tokens
        over_batch(_read, arguments, batch, streams.numel())
        ctx.save_for_backward(weights, streams)
        ctx.set_materialize_grads(False)
        return h, streams

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, trail: Tensor | None):
        if grad is None:
            return None, trail
        weights, streams = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        rows, step = _rows(weights, streams)
        dweights = _zeros(weights, step, streams)
        into = torch.zeros_like(streams) if trail is None else trail
        arguments = (
            rows, step, _streams(streams), grad.contiguous().view(-1, width).numpy(),
            dweights.numpy(), into.view(-1, count, width).numpy(), tokens,
        )  # fmt: skip
        over_batch(_read_backward, arguments, batch, 2 * streams.numel())
        return _summed(dweights, step, weights), into


class Write(torch.autograd.Function):
    """mix streams + weights v."""

    @staticmethod
    def forward(ctx: Any, mix: Tensor, streams: Tensor, weights: Tensor, v: Tensor):
        batch, tokens, count, width = streams.shape
        out = torch.empty(batch, tokens, count, width)
        flat = out.view(-1, count, width).numpy()
        arguments = (*_given(mix, streams, weights, v), flat, tokens)
        over_batch(_write, arguments, batch, (count + 1) * streams.numel())
        ctx.save_for_backward(mix, streams, weights, v)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor):
        mix, streams, weights, v = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        grad = grad.contiguous()
        given = _given(mix, streams, weights, v)
        _, mix_step, _, step, *_ = given
        dmix, dweights = _zeros(mix, mix_step, streams), _zeros(weights, step, streams)
        dstreams, dv = torch.empty_like(streams), torch.empty_like(v)
        arguments = (
            *given, _streams(grad), grad.view(-1, count, width).numpy(), dmix.numpy(),
            dweights.numpy(), dstreams.view(-1, count, width).numpy(),
            dv.view(-1, width).numpy(), tokens,
        )  # fmt: skip
        over_batch(_write_backward, arguments, batch, (2 * count + 2) * streams.numel())
        return _summed(dmix, mix_step, mix), dstreams, _summed(dweights, step, weights), dv


def _given(mix: Tensor, streams: Tensor, weights: Tensor, v: Tensor) -> tuple:
    """mix, weights, streams and v, as the kernels take them."""
    flat = v.view(-1, v.shape[-1]).numpy()
    return *_rows(mix, streams), *_rows(weights, streams), _streams(streams), flat


def _summed(gradient: Tensor, step: int, like: Tensor) -> Tensor:
    """Over the batch, where the weights are the same for all tokens."""
    return gradient.view_as(like) if step else gradient.sum(0)


class NormedProduct(torch.autograd.Function):
    """(RMSNorm(x) @ matrix, x), x handed on; a normed copy of x is never made."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, eps: float):
        features = x.shape[-1]
        with torch.autocast("cpu", enabled=False):
            norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
            inverse = torch.rsqrt(norm.square() / features + eps)
            out = (x @ matrix) * inverse
        ctx.save_for_backward(x, matrix, inverse, out)
        ctx.set_materialize_grads(False)
        return out, x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, trail: Tensor | None):
        if grad is None:
            return trail, None, None
        x, matrix, inverse, out = ctx.saved_tensors
        flat, features = x.view(-1, x.shape[-1]), x.shape[-1]
        product = (grad * inverse).view(-1, grad.shape[-1])
        radial = (grad * out).sum(-1, keepdim=True) * inverse.square() / features
        into = torch.zeros_like(x) if trail is None else trail
        into.view(-1, features).addmm_(product, matrix.mT)
        into.addcmul_(x, radial, value=-1)
        return into, flat.mT @ product, None
