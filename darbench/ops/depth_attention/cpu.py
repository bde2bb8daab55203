"""Depth attention on the CPU in float32, a few tokens at a time.

All sources of a block of tokens fit into the cache, so each is fetched from memory once in the
forward and once in the backward, which keeps only the softmax weights and the products q . v_i.
The softmax runs over the tokens of a block side by side: token by token, waiting for its
exponentials would be half of a narrow read. Kernels are given addresses: making arrays of the
tensors would take a fifth of a short read.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from darbench.ops.depth_attention.rows import (
    ADD,
    PAST,
    SET,
    add_combination,
    add_gradients,
    add_gradients_of_one,
    dot_products,
    inverse_rms,
)
from darbench.ops.depth_attention.weights import LANES, slopes, weigh
from darbench.ops.native.kernels import F, addresses, held, kernel, matrix, over_batch, row
from darbench.ops.native.memory import empty_like

CACHE = 1 << 17  # the most bytes of sources in a block
BEYOND = 1 << 25  # bytes of fresh gradients that no cache keeps until the next reader


@kernel
def _forward(
    query,
    step_b,
    step_t,
    table,
    unknown,
    scale,
    out,
    kept,
    heads,
    width,
    tokens,
    block,
    start,
    stop,
):
    """Fill in the rows of out (B T, D) of the batch elements start .. stop.

    query: the vector of batch element b and token t starts at b step_b + t step_t; table:
    addresses of the J values and of their inverse RMS, of which the `unknown` are filled in; kept
    (B, blocks, H, 2, J, block): the softmax weights and q . v_j, for the backward.
    """
    size, count, blocks = width // heads, table.size // 2, -(-tokens // block)
    values, inverses = table[:count], table[count:]
    scratch = np.empty((2, LANES * count), np.float32)
    products, weights = scratch[0].ctypes.data, scratch[1].ctypes.data
    for i in range(start * blocks, stop * blocks):
        b, first = i // blocks, i % blocks * block
        n, origin = min(block, tokens - first), b * tokens + first
        for j in unknown:
            inverse = row(inverses[j], origin, n)
            for r in range(n):
                inverse[r] = inverse_rms(values[j] + 4 * (origin + r) * width, width)
        row(out, origin * width, n * width)[:] = F(0)
        for h in range(heads):
            q, at = 4 * (b * step_b + first * step_t + h * size), 4 * (origin * width + h * size)
            dot_products(query + q, 4 * step_t, values, at, 4 * width, n, size, products)
            into = kept + 8 * (i * heads + h) * count * block
            weigh(products, inverses, 4 * origin, n, scale, weights, into, block)
            for r in range(n):
                at = 4 * ((origin + r) * width + h * size)
                add_combination(weights + 4 * r, values, at, size, out + at)
    held(scratch)


@kernel
def _backward(
    query,
    step_b,
    step_t,
    table,
    scale,
    grad,
    kept,
    heads,
    width,
    dquery,
    dstep_b,
    dstep_t,
    tokens,
    block,
    start,
    stop,
):
    """Add to dquery, and put what is due into the gradients of the values.

    grad (B T, D) is dLoss/dh; table: addresses of the J values, of their inverse RMS and of their
    gradients, and how the latter are put there (`rows.add_gradients`).

    With s_j = scale q . v_j / rms_j:  ds_j = alpha_j (dh . v_j - dh . h),
    dv_j = alpha_j dh + scale ds_j / rms_j (q - (q . v_j) / (rms_j^2 D) v_j).
    """
    size, count, blocks = width // heads, table.size // 4, -(-tokens // block)
    values, inverses = table[:count], table[count : 2 * count]
    dvalues, hows = table[2 * count : 3 * count], table[3 * count :]
    one = step_t == 0 and size % 32 == 0  # query for all tokens
    along = np.empty((heads, count, LANES), np.float32)
    radials = np.empty((count, LANES), np.float32)
    slope, radial = along.ctypes.data, radials.ctypes.data
    for i in range(start * blocks, stop * blocks):
        b, first = i // blocks, i % blocks * block
        n, origin = min(block, tokens - first), b * tokens + first
        radials[:] = F(0)
        for h in range(heads):
            own = slope + 64 * h * count
            at = 4 * (origin * width + h * size)
            dot_products(grad + at, 4 * width, values, at, 4 * width, n, size, own)
            given = kept + 8 * (i * heads + h) * count * block
            slopes(given, block, inverses, 4 * origin, n, scale, width, own, radial)
        for h in range(heads):
            alphas = matrix(kept, 2 * (i * heads + h) * count * block, count, block)
            at = 4 * (origin * width + h * size)
            dh, q = grad + at, query + 4 * (b * step_b + first * step_t + h * size)
            dq = dquery + 4 * (b * dstep_b + first * dstep_t + h * size)
            for j in range(count):
                weights = alphas[j], along[h, j], radials[j]
                v, dv, how = values[j] + at, dvalues[j] + at, hows[j]
                if one:
                    add_gradients_of_one(dh, q, v, 4 * width, weights, n, size, dv, how, dq)
                else:
                    add_gradients(dh, q, 4 * step_t, v, 4 * width, weights, n, size, dv, how, dq)
    held(along)
    held(radials)


def empty_outputs(values: Sequence[Tensor], heads: int) -> tuple[Tensor, Tensor]:
    """As in `Backend`; the second, (B, blocks, H, 2, J, block), is for weights and q . v_j."""
    batch, tokens, width = values[0].shape
    block = max(1, min(LANES, tokens, CACHE // (4 * width * len(values))))
    kept = values[0].new_empty(batch, -(-tokens // block), heads, 2, len(values), block)
    return torch.empty_like(values[0]), kept


def forward(
    query: Tensor,
    values: Sequence[Tensor],
    inv_rms: Sequence[Tensor],
    scale: float,
    heads: int,
    unknown: Sequence[int] = (),
) -> tuple[Tensor, Tensor]:
    """Like `Backend.forward`."""
    batch, tokens, width = values[0].shape
    query = query.contiguous()
    out, kept = empty_outputs(values, heads)
    table = np.array(addresses(values) + addresses(inv_rms))
    arguments = (
        query,
        *_steps(query),
        table,
        np.array(unknown, np.int64),
        F(scale),
        out,
        kept,
        heads,
        width,
        tokens,
        kept.shape[-1],
    )
    work = 2 * out.numel() * len(values)
    over_batch(_forward, arguments, batch, work, held=(values, inv_rms))
    return out, kept


def backward(
    grad: Tensor,
    query: Tensor,
    values: Sequence[Tensor],
    inv_rms: Sequence[Tensor],
    kept: Tensor,
    scale: float,
    into: Sequence[Tensor | None],
) -> tuple[Tensor, list[Tensor]]:
    """Like `Backend.backward`."""
    batch, tokens, width = values[0].shape
    rows, grad = query.contiguous(), grad.contiguous()
    step_b, step_t = _steps(rows)
    # Each element of the batch has a row of its own, for threads must not share one.
    dquery = grad.new_zeros(batch, tokens if step_t else 1, width)
    fresh = [g is None for g in into]
    dvalues = [empty_like(v) if g is None else g for v, g in zip(values, into, strict=True)]
    first = PAST if _past(values[0], kept.shape[2], sum(fresh)) else SET
    hows = [first if new else ADD for new in fresh]
    table = np.array(addresses(values) + addresses(inv_rms) + addresses(dvalues) + hows)
    arguments = (
        rows,
        step_b,
        step_t,
        table,
        F(scale),
        grad,
        kept,
        kept.shape[2],
        width,
        dquery,
        *_steps(dquery),
        tokens,
        kept.shape[-1],
    )
    work = 4 * grad.numel() * len(values)
    over_batch(_backward, arguments, batch, work, held=(values, inv_rms, dvalues))
    return dquery.sum_to_size(query.shape), dvalues


def _past(value: Tensor, heads: int, fresh: int) -> bool:
    """Whether fresh gradients like this value are written past the cache, in whole vectors."""
    return fresh * value.nbytes > BEYOND and value.shape[-1] // heads % LANES == 0


def _steps(x: Tensor) -> tuple[int, int]:
    """The strides over batch and tokens of a contiguous tensor that broadcasts to (B, T, D)."""
    batch, tokens, width = (1, 1, *x.shape)[-3:]
    return tokens * width if batch > 1 else 0, width if tokens > 1 else 0
