"""The maps of a manifold-constrained hyper-connection on the CPU in float32, token by token."""

from typing import Any

import torch
from torch import Tensor

from darbench.ops.native.autograd import first_order
from darbench.ops.native.kernels import F, kernel, over_batch, row, sigmoid

COST = 8  # multiply-adds that take as long as an element


@kernel
def _forward(raw, size, bias, count, columns, read, write, logits, tokens, start, stop):
    """Fill in read, write (B T, S) and logits (B T, K - 2 S) from raw (B T, K)."""
    size, bias, others = row(size, 0, 3), row(bias, 0, columns), columns - 2 * count
    for r in range(start * tokens, stop * tokens):
        x, out = row(raw, r * columns, columns), row(logits, r * others, others)
        pre, post = row(read, r * count, count), row(write, r * count, count)
        for s in range(count):
            pre[s] = sigmoid(size[0] * x[s] + bias[s])
            post[s] = F(2) * sigmoid(size[1] * x[count + s] + bias[count + s])
        for k in range(others):
            out[k] = size[2] * x[2 * count + k] + bias[2 * count + k]


@kernel
def _backward(
    raw,
    size,
    count,
    columns,
    read,
    write,
    dread,
    dwrite,
    dlogits,
    draw,
    dsize,
    dbias,
    tokens,
    start,
    stop,
):
    """Set draw (B T, K), and add to dsize (B, 3) and dbias (B, K)."""
    size, others = row(size, 0, 3), columns - 2 * count
    for r in range(start * tokens, stop * tokens):
        b = r // tokens
        x, dx = row(raw, r * columns, columns), row(draw, r * columns, columns)
        pre, post = row(read, r * count, count), row(write, r * count, count)
        dpre, dpost = row(dread, r * count, count), row(dwrite, r * count, count)
        for s in range(count):
            dx[s] = dpre[s] * pre[s] * (F(1) - pre[s])
            dx[count + s] = dpost[s] * post[s] * (F(1) - F(0.5) * post[s])
        dout = row(dlogits, r * others, others)
        for k in range(others):
            dx[2 * count + k] = dout[k]
        da, db = row(dsize, 3 * b, 3), row(dbias, b * columns, columns)
        for k in range(columns):
            group = min(k // count, 2)
            db[k] += dx[k]
            da[group] += dx[k] * x[k]
            dx[k] *= size[group]


class Maps(torch.autograd.Function):
    """Returns (read, write, logits) as `darbench.ops.streams.manifold_maps` does."""

    @staticmethod
    def forward(ctx: Any, raw: Tensor, size: Tensor, bias: Tensor, count: int):
        batch, tokens, columns = raw.shape
        read, write = (raw.new_empty(batch, tokens, count) for _ in range(2))
        logits = raw.new_empty(batch, tokens, columns - 2 * count)
        arguments = raw, size, bias, count, columns, read, write, logits, tokens
        over_batch(_forward, arguments, batch, COST * raw.numel())
        ctx.save_for_backward(raw, size, read, write)
        return read, write, logits

    @staticmethod
    @first_order
    def backward(ctx: Any, dread: Tensor, dwrite: Tensor, dlogits: Tensor):
        raw, size, read, write = ctx.saved_tensors
        batch, tokens, columns = raw.shape
        draw = torch.empty_like(raw)
        # Each element of the batch has a row of its own, for threads must not share one.
        dsize, dbias = raw.new_zeros(batch, 3), raw.new_zeros(batch, columns)
        dread, dwrite, dlogits = dread.contiguous(), dwrite.contiguous(), dlogits.contiguous()
        arguments = (
            raw,
            size,
            read.shape[-1],
            columns,
            read,
            write,
            dread,
            dwrite,
            dlogits,
            draw,
            dsize,
            dbias,
            tokens,
        )
        over_batch(_backward, arguments, batch, COST * raw.numel())
        return draw, dsize.sum(0), dbias.sum(0), None
