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

from darbench.ops.native.kernels import (
    F,
    add_combination,
    addresses,
    dot_products,
    exp,
    kernel,
    matrix,
    over_batch,
    part,
    row,
)
from darbench.ops.norm import EPS

CACHE = 1 << 17  # the most bytes of sources in a block
BLOCK = 16  # the most tokens in a block


@part
def _softmax(a, n, top, total):
    """Softmax over the rows of a, in its first n columns; top: the largest of each column."""
    total[:] = F(0)
    for j in range(len(a)):
        aj = a[j]
        for r in range(n):
            e = exp(aj[r] - top[r])
            aj[r] = e
            total[r] += e
    for r in range(n):
        total[r] = F(1) / total[r]
    for j in range(len(a)):
        aj = a[j]
        for r in range(n):
            aj[r] *= total[r]


@part
def _inverse_rms(v):
    total = F(0)
    for d in range(v.size):
        total += v[d] * v[d]
    return F(1) / np.sqrt(total / F(v.size) + F(EPS))


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
    values, inverses = table[0], table[1]
    size, count, blocks = width // heads, values.size, -(-tokens // block)
    top, total = np.empty(block, np.float32), np.empty(block, np.float32)
    for i in range(start * blocks, stop * blocks):
        b, first = i // blocks, i % blocks * block
        n, origin = min(block, tokens - first), b * tokens + first
        for j in unknown:
            inverse = row(inverses[j], origin, n)
            for r in range(n):
                inverse[r] = _inverse_rms(row(values[j], (origin + r) * width, width))
        row(out, origin * width, n * width)[:] = F(0)
        for h in range(heads):
            kept_at = 2 * (i * heads + h) * count * block
            a = matrix(kept, kept_at, count, block)
            p = matrix(kept, kept_at + count * block, count, block)
            for r in range(n):
                q = row(query, b * step_b + (first + r) * step_t + h * size, size)
                dot_products(q, values, (origin + r) * width + h * size, p[:, r])
            top[:] = F(-np.inf)
            for j in range(count):
                aj, pj, inverse = a[j], p[j], row(inverses[j], origin, n)
                for r in range(n):
                    aj[r] = scale * pj[r] * inverse[r]
                    top[r] = max(top[r], aj[r])
            _softmax(a, n, top, total)
            for r in range(n):
                at = (origin + r) * width + h * size
                add_combination(a[:, r], values, at, row(out, at, size))


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
    """Add to dquery and to the gradients of the values, or set those that are fresh.

    grad (B T, D) is dLoss/dh; table: addresses of the J values, of their inverse RMS and of their
    gradients, and whether the latter are fresh.

    With s_j = scale q . v_j / rms_j:  ds_j = alpha_j (dh . v_j - dh . h),
    dv_j = alpha_j dh + scale ds_j / rms_j (q - (q . v_j) / (rms_j^2 D) v_j).
    """
    values, inverses, dvalues, fresh = table[0], table[1], table[2], table[3]
    size, count, blocks = width // heads, values.size, -(-tokens // block)
    c = np.empty((heads, count, block), np.float32)
    radial, mean = np.empty((count, block), np.float32), np.empty(block, np.float32)
    for i in range(start * blocks, stop * blocks):
        b, first = i // blocks, i % blocks * block
        n, origin = min(block, tokens - first), b * tokens + first
        radial[:] = F(0)
        for h in range(heads):
            kept_at = 2 * (i * heads + h) * count * block
            a = matrix(kept, kept_at, count, block)
            p = matrix(kept, kept_at + count * block, count, block)
            ch = c[h]
            for r in range(n):
                at = (origin + r) * width + h * size
                dot_products(row(grad, at, size), values, at, ch[:, r])
            mean[:] = F(0)
            for j in range(count):
                aj, cj = a[j], ch[j]
                for r in range(n):
                    mean[r] += aj[r] * cj[r]
            for j in range(count):
                aj, pj, cj, rj, inverse = a[j], p[j], ch[j], radial[j], row(inverses[j], origin, n)
                for r in range(n):
                    cj[r] = scale * aj[r] * (cj[r] - mean[r]) * inverse[r]
                    rj[r] += cj[r] * pj[r] * inverse[r] * inverse[r] / F(width)
            for r in range(n):
                at = (origin + r) * width + h * size
                dq = row(dquery, b * dstep_b + (first + r) * dstep_t + h * size, size)
                add_combination(ch[:, r], values, at, dq)
        for h in range(heads):
            a = matrix(kept, 2 * (i * heads + h) * count * block, count, block)
            for j in range(count):
                for r in range(n):
                    at = (origin + r) * width + h * size
                    q = row(query, b * step_b + (first + r) * step_t + h * size, size)
                    v, dv = row(values[j], at, size), row(dvalues[j], at, size)
                    dh = row(grad, at, size)
                    aj, cj, rj = a[j, r], c[h, j, r], radial[j, r]
                    if fresh[j]:
                        for d in range(size):
                            dv[d] = aj * dh[d] + cj * q[d] - rj * v[d]
                    else:
                        for d in range(size):
                            dv[d] += aj * dh[d] + cj * q[d] - rj * v[d]


def empty_outputs(values: Sequence[Tensor], heads: int) -> tuple[Tensor, Tensor]:
    """As in `Backend`; the second, (B, blocks, H, 2, J, block), is for weights and q . v_j."""
    batch, tokens, width = values[0].shape
    block = max(1, min(BLOCK, tokens, CACHE // (4 * width * len(values))))
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
    table = np.array([addresses(values), addresses(inv_rms)])
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
    dvalues = [torch.empty_like(v) if g is None else g for v, g in zip(values, into, strict=True)]
    fresh = [g is None for g in into]
    table = np.array([addresses(values), addresses(inv_rms), addresses(dvalues), fresh])
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


def _steps(x: Tensor) -> tuple[int, int]:
    """The strides over batch and tokens of a contiguous tensor that broadcasts to (B, T, D)."""
    batch, tokens, width = (1, 1, *x.shape)[-3:]
    return tokens * width if batch > 1 else 0, width if tokens > 1 else 0
