"""Depth attention on the CPU in float32, token by token.

All sources of a token fit into the cache, so each is fetched from memory once in the forward and
once in the backward, which keeps only the softmax weights and the products q . v_i. Kernels are
told addresses: of a short read, making arrays of its tensors would be a fifth.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from darbench.ops.depth_attention.source import EPS
from darbench.ops.native.kernels import (
    F,
    add_combination,
    addresses,
    dot_products,
    exp,
    kernel,
    over_batch,
    part,
    row,
)


@part
def _softmax(a):
    top = a[0]
    for j in range(1, a.size):
        top = max(top, a[j])
    total = F(0)
    for j in range(a.size):
        e = exp(a[j] - top)
        a[j] = e
        total += e
    for j in range(a.size):
        a[j] /= total


@part
def _inverse_rms(v):
    total = F(0)
    for d in range(v.size):
        total += v[d] * v[d]
    return F(1) / np.sqrt(total / F(v.size) + F(EPS))


@kernel
def _forward(
    query, span, values, inv_rms, unknown, scale, out, kept, heads, width, tokens, start, stop
):  # fmt: skip
    """Rows of the batch elements start .. stop of out (B T, D).

    query (rows, D), each read by `span` tokens; values and inv_rms: addresses of J tensors, of
    which those `unknown` of the latter are filled in; kept (B T, H, 2, J): the softmax weights and
    q . v_j, for the backward.
    """
    size, count = width // heads, values.size
    for r in range(start * tokens, stop * tokens):
        for j in unknown:
            row(inv_rms[j], r, 1)[0] = _inverse_rms(row(values[j], r * width, width))
        for h in range(heads):
            at, kept_at = r * width + h * size, 2 * count * (r * heads + h)
            q = row(query, r // span * width + h * size, size)
            a, p = row(kept, kept_at, count), row(kept, kept_at + count, count)
            o = row(out, at, size)
            dot_products(q, values, at, p)
            for j in range(count):
                a[j] = scale * p[j] * row(inv_rms[j], r, 1)[0]
            _softmax(a)
            o[:] = F(0)
            add_combination(a, values, at, o)


@kernel
def _backward(
    query, span, values, inv_rms, scale, kept, heads, width, grad, dvalues, fresh, dquery, dspan,
    tokens, start, stop,
):  # fmt: skip
    """Adds to dquery and to the tensors at the addresses dvalues, or sets those that are fresh.
    grad (B T, D) is dLoss/dh.

    With s_j = scale q . v_j / rms_j:  ds_j = alpha_j (dh . v_j - dh . h),
    dv_j = alpha_j dh + scale ds_j / rms_j (q - (q . v_j) / (rms_j^2 D) v_j).
    """
    size, count = width // heads, values.size
    c = np.empty((heads, count), np.float32)
    radial = np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        radial[:] = F(0)
        for h in range(heads):
            at, kept_at = r * width + h * size, 2 * count * (r * heads + h)
            a, p = row(kept, kept_at, count), row(kept, kept_at + count, count)
            ch = c[h]
            dot_products(row(grad, at, size), values, at, ch)
            mean = F(0)
            for j in range(count):
                mean += a[j] * ch[j]
            for j in range(count):
                inverse = row(inv_rms[j], r, 1)[0]
                ch[j] = scale * a[j] * (ch[j] - mean) * inverse
                radial[j] += ch[j] * p[j] * inverse * inverse / F(width)
            add_combination(ch, values, at, row(dquery, r // dspan * width + h * size, size))
        for h in range(heads):
            at, kept_at = r * width + h * size, 2 * count * (r * heads + h)
            q, dh = row(query, r // span * width + h * size, size), row(grad, at, size)
            a = row(kept, kept_at, count)
            for j in range(count):
                v, dv = row(values[j], at, size), row(dvalues[j], at, size)
                aj, cj, rj = a[j], c[h, j], radial[j]
                if fresh[j]:
                    for d in range(size):
                        dv[d] = aj * dh[d] + cj * q[d] - rj * v[d]
                else:
                    for d in range(size):
                        dv[d] += aj * dh[d] + cj * q[d] - rj * v[d]


def _rows(query: Tensor, batch: int, tokens: int, width: int) -> tuple[Tensor, int]:
    """Rows (.., D) without gaps, and how many tokens in a row read each of them."""
    rows = query.numel() // width
    if rows == 1:
        return query.contiguous(), batch * tokens
    if rows == batch and query.shape[-2] == 1:
        return query.contiguous(), tokens
    return query.expand(batch, tokens, width).contiguous(), 1


def empty_outputs(values: Sequence[Tensor], heads: int) -> tuple[Tensor, Tensor]:
    """h (B, T, D), and (B T, H, 2, J), the softmax weights and the products q . v_j."""
    first = values[0]
    rows = first.shape[0] * first.shape[1]
    return torch.empty_like(first), first.new_empty(rows, heads, 2, len(values))


def forward(
    query: Tensor, values: Sequence[Tensor], inv_rms: Sequence[Tensor], scale: float, heads: int,
    unknown: Sequence[int] = (),
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """As `Backend.forward`."""
    batch, tokens, width = values[0].shape
    query, span = _rows(query, batch, tokens, width)
    out, kept = empty_outputs(values, heads)
    arguments = (
        query.data_ptr(), span, addresses(values), addresses(inv_rms), np.array(unknown, np.int64),
        F(scale), out.data_ptr(), kept.data_ptr(), heads, width, tokens,
    )  # fmt: skip
    over_batch(_forward, arguments, batch, 2 * out.numel() * len(values))
    return out, kept


def backward(
    grad: Tensor, query: Tensor, values: Sequence[Tensor], inv_rms: Sequence[Tensor],
    kept: Tensor, scale: float, into: Sequence[Tensor | None],
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """As `Backend.backward`."""
    batch, tokens, width = values[0].shape
    (rows, span), grad = _rows(query, batch, tokens, width), grad.contiguous()
    dspan = min(span, tokens)  # a gradient of each element of the batch: threads share none
    dquery = grad.new_zeros(batch, tokens // dspan, width)
    dvalues = [torch.empty_like(v) if g is None else g for v, g in zip(values, into, strict=True)]
    arguments = (
        rows.data_ptr(), span, addresses(values), addresses(inv_rms), F(scale),
        kept.data_ptr(), kept.shape[1], width, grad.data_ptr(), addresses(dvalues),
        np.array([g is None for g in into]), dquery.data_ptr(), dspan, tokens,
    )  # fmt: skip
    over_batch(_backward, arguments, batch, 4 * grad.numel() * len(values))
    return dquery.sum_to_size(query.shape), dvalues
