"""Depth attention on the CPU in float32, token by token.

All sources of a token fit into the cache, so each is fetched from memory once in the forward and
once in the backward, which keeps only the softmax weights and the products q . v_i.
"""

from collections.abc import Sequence
from typing import NamedTuple

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


@kernel
def _forward(query, steps, values, inv_rms, scale, out, alpha, products, tokens, start, stop):
    """Rows of the batch elements start .. stop of out (B T, D).

    query (rows, D), of which element b, token t reads row b steps[0] + t steps[1]; values and
    inv_rms: addresses of J tensors; alpha, products (B T, H, J): kept for the backward.
    """
    heads = alpha.shape[1]
    size = out.shape[1] // heads
    for r in range(start * tokens, stop * tokens):
        q = query[r // tokens * steps[0] + r % tokens * steps[1]]
        out[r] = F(0)
        for h in range(heads):
            at, a, p = r * out.shape[1] + h * size, alpha[r, h], products[r, h]
            dot_products(q[h * size : (h + 1) * size], values, at, p)
            for j in range(values.size):
                a[j] = scale * p[j] * row(inv_rms[j], r, 1)[0]
            _softmax(a)
            add_combination(a, values, at, out[r, h * size : (h + 1) * size])


@kernel
def _backward(
    query, steps, values, inv_rms, scale, alpha, products, grad, dvalues, fresh, dquery, dsteps,
    tokens, start, stop,
):  # fmt: skip
    """Adds to dquery and to the tensors at the addresses dvalues, or sets those that are fresh.
    grad (B T, D) is dLoss/dh.

    With s_j = scale q . v_j / rms_j:  ds_j = alpha_j (dh . v_j - dh . h),
    dv_j = alpha_j dh + scale ds_j / rms_j (q - (q . v_j) / (rms_j^2 D) v_j).
    """
    width, heads, count = grad.shape[1], alpha.shape[1], values.size
    size = width // heads
    c = np.empty((heads, count), np.float32)
    radial = np.empty(count, np.float32)
    for r in range(start * tokens, stop * tokens):
        b, t = r // tokens, r % tokens
        q, dh = query[b * steps[0] + t * steps[1]], grad[r]
        dq = dquery[b * dsteps[0] + t * dsteps[1]]
        radial[:] = F(0)
        for h in range(heads):
            low, high = h * size, (h + 1) * size
            a = alpha[r, h]
            dot_products(dh[low:high], values, r * width + low, c[h])
            mean = F(0)
            for j in range(count):
                mean += a[j] * c[h, j]
            for j in range(count):
                inverse = row(inv_rms[j], r, 1)[0]
                c[h, j] = scale * a[j] * (c[h, j] - mean) * inverse
                radial[j] += c[h, j] * products[r, h, j] * inverse * inverse / F(width)
            add_combination(c[h], values, r * width + low, dq[low:high])
        for j in range(count):
            for h in range(heads):
                low, high = h * size, (h + 1) * size
                v, dv = (
                    row(values[j], r * width + low, size),
                    row(dvalues[j], r * width + low, size),
                )
                qh, dhh = q[low:high], dh[low:high]
                aj, cj, rj = alpha[r, h, j], c[h, j], radial[j]
                if fresh[j]:
                    for d in range(size):
                        dv[d] = aj * dhh[d] + cj * qh[d] - rj * v[d]
                else:
                    for d in range(size):
                        dv[d] += aj * dhh[d] + cj * qh[d] - rj * v[d]


class _Shape(NamedTuple):
    """How the query broadcasts: its rows, and the steps between them along batch and tokens."""

    rows: Tensor  # (B T or B or 1, D)
    steps: tuple[int, int]
    dsteps: tuple[int, int]  # of its gradient, which is summed over tokens at most


def _shape(query: Tensor, batch: int, tokens: int, width: int) -> _Shape:
    rows = query.reshape(-1, width).contiguous()
    if query.dim() == 1 or len(rows) == 1:
        return _Shape(rows, (0, 0), (1, 0))
    if query.shape[-2] == 1 and tokens > 1:
        return _Shape(rows, (1, 0), (1, 0))
    rows = query.expand(batch, tokens, width).reshape(-1, width).contiguous()
    return _Shape(rows, (tokens, 1), (tokens, 1))


def empty_outputs(values: Sequence[Tensor], heads: int) -> tuple[Tensor, Tensor]:
    """h (B, T, D), and (2, B T, H, J), the softmax weights and the products q . v_j."""
    shape = values[0].shape
    kept = values[0].new_empty(2, shape[:-1].numel(), heads, len(values))
    return values[0].new_empty(shape), kept


def forward(
    query: Tensor, values: Sequence[Tensor], inv_rms: Sequence[Tensor], scale: float, heads: int
) -> tuple[Tensor, Tensor]:
    """As `Backend.forward`."""
    batch, tokens, width = values[0].shape
    shape = _shape(query, batch, tokens, width)
    out, kept = empty_outputs(values, heads)
    arguments = (
        shape.rows.detach().numpy(), shape.steps, addresses(values), addresses(inv_rms), F(scale),
        out.view(-1, width).numpy(), *kept.numpy(), tokens,
    )  # fmt: skip
    over_batch(_forward, arguments, batch, 2 * out.numel() * len(values))
    return out, kept


def backward(
    grad: Tensor, query: Tensor, values: Sequence[Tensor], inv_rms: Sequence[Tensor],
    kept: Tensor, scale: float, into: Sequence[Tensor | None],
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """As `Backend.backward`."""
    batch, tokens, width = values[0].shape
    shape = _shape(query, batch, tokens, width)
    dquery = torch.zeros(batch * tokens if shape.dsteps[1] else batch, width)
    dvalues = [torch.empty_like(v) if g is None else g for v, g in zip(values, into, strict=True)]
    fresh = np.array([g is None for g in into])
    arguments = (
        shape.rows.detach().numpy(), shape.steps, addresses(values), addresses(inv_rms), F(scale),
        *kept.numpy(), grad.contiguous().view(-1, width).numpy(), addresses(dvalues),
        fresh, dquery.numpy(), shape.dsteps, tokens,
    )  # fmt: skip
    over_batch(_backward, arguments, batch, 4 * grad.numel() * len(values))
    return dquery.view(batch, -1, width).sum_to_size(query.shape), dvalues
