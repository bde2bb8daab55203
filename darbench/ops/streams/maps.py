"""The maps of a manifold-constrained hyper-connection on the CPU in float32, sample by sample."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import load_first, store_first
from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.curves import sigmoid
from darbench.ops.native.kernels import F, address, held, kernel, over_batch, part
from darbench.ops.streams.rows import get, put

COST = 8  # multiply-adds that take as long as an element


@part
def _sigmoid(x, size, factor):
    """Replace x (size,) by factor sigmoid(x)."""
    for e in range(0, size, 16):
        y = vec.multiply(vec.filled(factor, 16), sigmoid(load_first(x + 4 * e, size - e, 16)))
        store_first(x + 4 * e, size - e, y)


@part
def _scaled(x, size, bias, columns, out):
    """Set out (columns,) to size x + bias."""
    a = vec.filled_from(size, 16)
    for k in range(0, columns, 16):
        left = columns - k
        y = vec.fma(a, load_first(x + 4 * k, left, 16), load_first(bias + 4 * k, left, 16))
        store_first(out + 4 * k, left, y)


@kernel
def _forward(raw, size, bias, count, columns, read, write, logits, tokens, start, stop):
    """Fill in read, write (B T, S) and logits (B T, K - 2 S) from raw (B T, K)."""
    own, others = 4 * count, columns - 2 * count
    for b in range(start, stop):
        for r in range(b * tokens, (b + 1) * tokens):
            x = raw + 4 * r * columns
            _scaled(x, size, bias, count, read + r * own)
            _scaled(x + own, size + 4, bias + own, count, write + r * own)
            _scaled(x + 2 * own, size + 8, bias + 2 * own, others, logits + 4 * r * others)
        _sigmoid(read + b * tokens * own, tokens * count, F(1))
        _sigmoid(write + b * tokens * own, tokens * count, F(2))


@part
def _through_sigmoid(dy, y, share, columns, out):
    """Set out (columns,) to dy times the slope of y = sigmoid(z) / share."""
    one = vec.filled(F(1), 16)
    for k in range(0, columns, 16):
        given = load_first(dy + 4 * k, columns - k, 16)
        yk = load_first(y + 4 * k, columns - k, 16)
        rest = vec.subtract(one, vec.multiply(vec.filled(share, 16), yk))
        vec.store(out + 4 * k, vec.multiply(given, vec.multiply(yk, rest)))


@part
def _through_scaled(dz, x, size, columns, draw, dsize, dbias):
    """Set draw (columns,) to size dz; add dz x to dsize, and dz to dbias."""
    a, along = vec.filled_from(size, 16), vec.filled(F(0), 16)
    for k in range(0, columns, 16):
        left, at = columns - k, 4 * k
        d = load_first(dz + at, left, 16)
        along = vec.fma(d, load_first(x + at, left, 16), along)
        store_first(dbias + at, left, vec.add(d, load_first(dbias + at, left, 16)))
        store_first(draw + at, left, vec.multiply(a, d))
    put(dsize, get(dsize) + vec.total(along))


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
    own, others = 4 * count, columns - 2 * count
    scratch = np.empty(count + 15, np.float32)
    dz = address(scratch)
    for r in range(start * tokens, stop * tokens):
        da, db = dsize + 12 * (r // tokens), dbias + 4 * (r // tokens) * columns
        x, dx, at = raw + 4 * r * columns, draw + 4 * r * columns, r * own
        _through_sigmoid(dread + at, read + at, F(1), count, dz)
        _through_scaled(dz, x, size, count, dx, da, db)
        _through_sigmoid(dwrite + at, write + at, F(0.5), count, dz)
        _through_scaled(dz, x + own, size + 4, count, dx + own, da + 4, db + own)
        dz_rest, two = dlogits + 4 * r * others, 2 * own
        _through_scaled(dz_rest, x + two, size + 8, others, dx + two, da + 8, db + two)
    held(scratch)


class Maps(NativeFunction):
    """Returns (read, write, logits) as `darbench.ops.streams.manifold_maps` does."""

    @staticmethod
    def forward(ctx: Any, raw: Tensor, size: Tensor, bias: Tensor, count: int):
        batch, tokens, columns = raw.shape
        read, write = (raw.new_empty(batch, tokens, count) for _ in range(2))
        logits = raw.new_empty(batch, tokens, columns - 2 * count)
        given = raw, size, bias, count, columns, read, write, logits, tokens
        over_batch(_forward, given, batch, COST * raw.numel())
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
        upstream = [d.contiguous() for d in (dread, dwrite, dlogits)]
        given = raw, size, read.shape[-1], columns, read, write
        over_batch(
            _backward, (*given, *upstream, draw, dsize, dbias, tokens), batch, COST * raw.numel()
        )
        return draw, dsize.sum(0), dbias.sum(0), None
