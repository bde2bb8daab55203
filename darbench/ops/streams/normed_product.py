"""The product of normed rows and a matrix, on the CPU in float32, row by row."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import load_first, store_first
from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.kernels import F, address, held, kernel, over_batch, part
from darbench.ops.streams.rows import (
    get,
    load_rows,
    next_rows,
    plus_combined,
    plus_scaled,
    products,
    put,
    squares,
    store_rows,
)
from darbench.ops.streams.trail import owned


@kernel
def _normed_product(x, columns, eps, features, count, out, inverse, start, stop):
    """Fill in out (rows, K) and the inverse RMS of x (rows, D); columns: the matrix's, (K, D)."""
    span, row = 4 * features, 4 * count
    for first in range(start, stop, 4):
        many = min(4, stop - first)
        products(columns, count, 0, x + first * span, many, 0, span, out + first * row, row, 0, 1)
        squares(x + first * span, many, 0, span, inverse + 4 * first, 0, 1)
        for r in range(first, first + many):
            n = F(1) / np.sqrt(get(inverse + 4 * r) / F(features) + eps)
            put(inverse + 4 * r, n)
            _scale(out + r * row, n, count, out + r * row)


@part
def _scale(x, factor, count, out):
    for k in range(0, count, 16):
        y = vec.multiply(load_first(x + 4 * k, count - k, 16), vec.filled(factor, 16))
        store_first(out + 4 * k, count - k, y)


@part
def _product(x, y, count):
    total = vec.filled(F(0), 16)
    for k in range(0, count, 16):
        left = load_first(x + 4 * k, count - k, 16)
        total = vec.fma(left, load_first(y + 4 * k, count - k, 16), total)
    return vec.total(total)


@kernel
def _normed_product_backward(
    x, columns, features, count, out, inverse, grad, product, dx, start, stop
):
    """Set product, and add product @ matrix^T - (grad . out) / (rms^2 D) x to dx.

    product = grad / rms (rows, K); its product with x is the matrix's gradient.
    """
    span, row, radial = 4 * features, 4 * count, np.empty(4, np.float32)
    for first in range(start, stop, 4):
        many = min(4, stop - first)
        for i in range(many):
            r = first + i
            n = get(inverse + 4 * r)
            _scale(grad + r * row, n, count, product + r * row)
            radial[i] = -_product(out + r * row, grad + r * row, count) * n * n / F(features)
        at, p, rows = first * span, product + first * row, next_rows(0, many, span)
        for d in range(at, at + span, 64):
            sums = load_rows(dx + d, rows)
            xs = load_rows(x + d, rows)
            sums = plus_scaled(sums, address(radial), next_rows(0, many, 4), xs)
            of_p = next_rows(0, many, row)
            sums = plus_combined(sums, p, of_p, 4, columns + d - at, count, span)
            store_rows(sums, dx + d, rows)
    held(radial)


class NormedProduct(NativeFunction):
    """Returns RMSNorm(x) @ matrix, and x for the next reader, without a normed copy of x.

    The last two axes of x (..., S, D) are one row.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, eps: float):
        columns = matrix.mT.contiguous()
        count, features = columns.shape
        out = x.new_empty(*x.shape[:-2], count)
        inverse = x.new_empty(x.shape[:-2])
        given = x, columns, F(eps), features, count, out, inverse
        over_batch(_normed_product, given, inverse.numel(), x.numel() * count)
        ctx.save_for_backward(x, columns, inverse, out)
        ctx.set_materialize_grads(False)
        return out, x

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor | None, trail: Tensor | None):
        if grad is None:
            return trail, None, None
        x, columns, inverse, out = ctx.saved_tensors
        count, features = columns.shape
        grad, product, into = grad.contiguous(), torch.empty_like(out), owned(x, trail)
        given = x, columns, features, count, out, inverse, grad, product, into
        over_batch(_normed_product_backward, given, inverse.numel(), 2 * x.numel() * count)
        dcolumns = product.view(-1, count).mT @ x.view(-1, features)  # the faster order
        return into, dcolumns.mT, None
