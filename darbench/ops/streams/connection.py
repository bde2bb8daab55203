"""A hyper-connection on the CPU in float32: write, weigh and read in one pass over the tokens.

Between two sublayers a token's streams stay in the cache, and autograd sees one function instead
of nine. Weights are [A_m | A_r | B] of every stream, K columns; without A_r, two.
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
    tanh,
)


@part
def _column(weights, k, columns, out):
    for s in range(out.size):
        out[s] = weights[s * columns + k]


@kernel
def _forward(
    old,
    v,
    streams,
    rest,
    size,
    columns,
    eps,
    squash,
    width,
    new,
    raw,
    inverse,
    weights,
    h,
    tokens,
    start,
    stop,
):
    """Fill in new (B T, S, D), raw and weights (B T, S, K), inverse (B T, S) and h (B T, D).

    old: weights to write v with; 0 where nothing is written, and new is given. streams and new:
    addresses of X_s of token 0; columns: addresses of the K columns of the product.
    """
    count, many = new.size, columns.size
    flat = count * many
    m, sizes, at_rest = np.empty(count, np.float32), row(size, 0, flat), row(rest, 0, flat)
    for r in range(start * tokens, stop * tokens):
        at = r * count * width
        if old:
            w, vr = row(old, r * flat, flat), row(v, r * width, width)
            for t in range(count):
                wt, into = w[t * many + many - 1], row(new[t], at, width)
                for d in range(width):
                    into[d] = wt * vr[d]
                if many > 2:
                    _column(w, 1 + t, many, m)
                    add_combination(m, streams, at, into)
                else:
                    xt = row(streams[t], at, width)
                    for d in range(width):
                        into[d] += xt[d]
        for s in range(count):
            x, f = row(new[s], at, width), row(raw, r * flat + s * many, many)
            total = F(0)
            for d in range(width):
                total += x[d] * x[d]
            n = F(1) / np.sqrt(total / F(width) + eps)
            row(inverse, r * count + s, 1)[0] = n
            dot_products(x, columns, 0, f)
            for k in range(many):
                f[k] *= n
        w, f = row(weights, r * flat, flat), row(raw, r * flat, flat)
        if squash:
            for e in range(flat):
                w[e] = at_rest[e] + sizes[e] * tanh(f[e])
        else:
            for e in range(flat):
                w[e] = at_rest[e] + sizes[e] * f[e]
        hr = row(h, r * width, width)
        hr[:] = F(0)
        _column(w, 0, many, m)
        add_combination(m, new, at, hr)


@part
def _of_weights(g, new, at, later, m, dw):
    """Set dw, the gradient of a token's weights, from `later` and from the read; m is scratch."""
    many = dw.size // m.size
    dot_products(g, new, at, m)
    for e in range(dw.size):
        dw[e] = later[e]
    for s in range(m.size):
        dw[s * many] += m[s]


@part
def _of_written(w, v, grads, m, dw, dv):
    """Set dv, and dw of the columns B and A_m; the latter is 0. m is scratch."""
    many = w.size // m.size
    dot_products(v, grads, 0, m)
    for t in range(m.size):
        dw[t * many] = F(0)
        dw[t * many + many - 1] = m[t]
    _column(w, many - 1, many, m)
    dv[:] = F(0)
    add_combination(m, grads, 0, dv)


@kernel
def _backward(
    old,
    v,
    streams,
    size,
    columns,
    squash,
    width,
    new,
    raw,
    inverse,
    weights,
    dh,
    dnew,
    dweights,
    dold,
    dv,
    dstreams,
    drest,
    dsize,
    dcolumns,
    tokens,
    start,
    stop,
):
    """Set dold (B T, S, K), dstreams (B T, S, D) and dv (B T, D); add to the other gradients.

    Those are drest, dsize (B, S, K) and dcolumns (B, K, D). dh, dnew and dweights are the
    gradients of the outputs.

    With G_t the whole gradient of a token's X'_t: dX_s = sum_t A_r[s, t] G_t, dv = sum_t B[t] G_t.
    """
    count, many = new.size, columns.size
    flat = count * many
    m, sizes = np.empty(count, np.float32), row(size, 0, flat)
    dw, p = np.empty(flat, np.float32), np.empty(flat, np.float32)
    whole = np.empty((count, width), np.float32)
    grads = np.empty(count, np.int64)
    for s in range(count):
        grads[s] = whole[s].ctypes.data
    # This is no part of its own, for a part would be summed in another order.
    for r in range(start * tokens, stop * tokens):
        b, at = r // tokens, r * count * width
        g, f = row(dh, r * width, width), row(raw, r * flat, flat)
        w, later = row(weights, r * flat, flat), row(dweights, r * flat, flat)
        _of_weights(g, new, at, later, m, dw)
        into_rest, into_size = row(drest, b * flat, flat), row(dsize, b * flat, flat)
        for e in range(flat):
            into_rest[e] += dw[e]
        if squash:
            for e in range(flat):
                squashed = tanh(f[e])
                into_size[e] += dw[e] * squashed
                p[e] = dw[e] * sizes[e] * (F(1) - squashed * squashed)
        else:
            for e in range(flat):
                into_size[e] += dw[e] * f[e]
                p[e] = dw[e] * sizes[e]
        for s in range(count):
            n, along = row(inverse, r * count + s, 1)[0], F(0)
            for e in range(s * many, (s + 1) * many):
                along += p[e] * f[e]
                p[e] *= n
            ws, radial = w[s * many], along * n * n / F(width)
            x, dx, into = row(new[s], at, width), row(dnew, at + s * width, width), whole[s]
            for d in range(width):
                into[d] = dx[d] + ws * g[d] - radial * x[d]
            add_combination(p[s * many : (s + 1) * many], columns, 0, into)
            for k in range(many):
                pk, dc = p[s * many + k], row(dcolumns, (b * many + k) * width, width)
                for d in range(width):
                    dc[d] += pk * x[d]
        if old:
            u, du = row(old, r * flat, flat), row(dold, r * flat, flat)
            vr, dvr = row(v, r * width, width), row(dv, r * width, width)
            _of_written(u, vr, grads, m, du, dvr)
        for s in range(count):
            into = row(dstreams, at + s * width, width)
            if old and many > 2:
                dw_s = row(dold, r * flat + s * many, many)
                dot_products(row(streams[s], at, width), grads, 0, dw_s[1 : many - 1])
                into[:] = F(0)
                add_combination(row(old, r * flat + s * many + 1, count), grads, 0, into)
            else:
                for d in range(width):
                    into[d] = whole[s, d]


class Connection(torch.autograd.Function):
    """Returns what `darbench.ops.streams.hyper_connection` does; takes the product's columns."""

    @staticmethod
    def forward(
        ctx: Any,
        streams: Tensor,
        rest: Tensor,
        size: Tensor,
        columns: Tensor,
        eps: float,
        squash: bool,
        old: Tensor | None = None,
        v: Tensor | None = None,
    ):
        batch, tokens, count, width = streams.shape
        many = len(columns)
        size = size.expand(count, many).contiguous()
        new = streams if old is None else torch.empty_like(streams)
        h, inverse = new.new_empty(batch, tokens, width), new.new_empty(batch, tokens, count)
        raw, weights = (new.new_empty(batch, tokens, count, many) for _ in range(2))
        arguments = (
            *_written(old, v),
            rows_of(streams),
            rest,
            size,
            rows_of(columns),
            F(eps),
            squash,
            width,
            rows_of(new),
            raw,
            inverse,
            weights,
            h,
            tokens,
        )
        work = (2 * count + many) * streams.numel()
        over_batch(_forward, arguments, batch, work, held=(streams, columns, new))
        ctx.save_for_backward(streams, old, v, size, columns, new, raw, inverse, weights)
        ctx.squash = squash
        return h, new, weights

    @staticmethod
    @first_order
    def backward(ctx: Any, dh: Tensor, dnew: Tensor, dweights: Tensor):
        streams, old, v, size, columns, new, raw, inverse, weights = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        many = len(columns)
        dh, dnew, dweights = dh.contiguous(), dnew.contiguous(), dweights.contiguous()
        dold, dv = (None if x is None else torch.empty_like(x) for x in (old, v))
        dstreams = torch.empty_like(streams)
        # Each element of the batch has a row of its own, for threads must not share one.
        drest, dsize = (new.new_zeros(batch, count, many) for _ in range(2))
        dcolumns = new.new_zeros(batch, many, width)
        arguments = (
            *_written(old, v),
            rows_of(streams),
            size,
            rows_of(columns),
            ctx.squash,
            width,
            rows_of(new),
            raw,
            inverse,
            weights,
            dh,
            dnew,
            dweights,
            *_written(dold, dv),
            dstreams,
            drest,
            dsize,
            dcolumns,
            tokens,
        )
        work = (4 * count + 2 * many) * streams.numel()
        over_batch(_backward, arguments, batch, work, held=(streams, columns, new))
        own = dstreams, drest.sum(0), dsize.sum((0, 1)), dcolumns.sum(0), None, None
        return own if old is None else (*own, dold, dv)


def _written(weights: Tensor | None, v: Tensor | None) -> tuple[Tensor | int, Tensor | int]:
    return (0, 0) if weights is None else (weights, v)
