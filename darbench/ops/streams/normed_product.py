"""The product of normed rows and a matrix, on the CPU in float32, row by row."""

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
    row,
    rows_of,
)


@kernel
def _normed_product(x, columns, eps, features, out, inverse, start, stop):
    """Fill in out (rows, K) and the inverse RMS of x (rows, D).

    columns: addresses of the matrix's columns.
    """
    for r in range(start, stop):
        xr, o = row(x, r * features, features), row(out, r * columns.size, columns.size)
        total = F(0)
        for d in range(features):
            total += xr[d] * xr[d]
        n = F(1) / np.sqrt(total / F(features) + eps)
        row(inverse, r, 1)[0] = n
        dot_products(xr, columns, 0, o)
        o *= n


@kernel
def _normed_product_backward(x, columns, features, out, inverse, grad, product, dx, start, stop):
    """Set product, and add product @ matrix^T - (grad . out) / (rms^2 D) x to dx.

    product = grad / rms (rows, K); its product with x is the matrix's gradient.
    """
    count = columns.size
    for r in range(start, stop):
        o, g = row(out, r * count, count), row(grad, r * count, count)
        p, n = row(product, r * count, count), row(inverse, r, 1)[0]
        along = F(0)
        for k in range(count):
            along += o[k] * g[k]
            p[k] = n * g[k]
        radial = along * n * n / F(features)
        xr, into = row(x, r * features, features), row(dx, r * features, features)
        for d in range(features):
            into[d] -= radial * xr[d]
        add_combination(p, columns, 0, into)


class NormedProduct(torch.autograd.Function):
    """Returns RMSNorm(x) @ matrix, and x for the next reader, without a normed copy of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, eps: float):
        features, columns = x.shape[-1], matrix.mT.contiguous()
        out = x.new_empty(*x.shape[:-1], len(columns))
        inverse = x.new_empty(x.shape[:-1])
        arguments = x, rows_of(columns), F(eps), features, out, inverse
        work = x.numel() * len(columns)
        over_batch(_normed_product, arguments, inverse.numel(), work, held=(columns,))
        ctx.save_for_backward(x, columns, inverse, out)
        ctx.set_materialize_grads(False)
        return out, x

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor | None, trail: Tensor | None):
        if grad is None:
            return trail, None, None
        x, columns, inverse, out = ctx.saved_tensors
        features, grad, product = x.shape[-1], grad.contiguous(), torch.empty_like(out)
        into = torch.zeros_like(x) if trail is None else trail
        arguments = x, rows_of(columns), features, out, inverse, grad, product, into
        rows, work = inverse.numel(), 2 * x.numel()
        over_batch(_normed_product_backward, arguments, rows, work, held=(columns,))
        dcolumns = product.view(-1, len(columns)).mT @ x.view(-1, features)  # the faster order
        return into, dcolumns.mT, None
