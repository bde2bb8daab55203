"""Sinkhorn's normalisation on the CPU in float32, many matrices side by side.

The backward runs the forward again, a few matrices at a time, and keeps nothing but the logits.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native.autograd import first_order
from darbench.ops.native.kernels import F, exp, kernel, over_batch, part
from darbench.ops.sinkhorn.definition import FLOOR

LANES = 128  # matrices that one pass of a loop works on


@part
def _start(logits, n, m):
    """Set m (n n, LANES) to exp(logits - their column's largest), of logits (matrices, n n)."""
    for j in range(n):
        for k in range(len(logits)):
            top = logits[k, j]
            for i in range(1, n):
                top = max(top, logits[k, i * n + j])
            for i in range(n):
                m[i * n + j, k] = max(logits[k, i * n + j] - top, F(FLOOR))
    for e in range(n * n):
        for k in range(LANES):
            m[e, k] = exp(m[e, k])


@part
def _normalise(m, n, by, along, total):
    """Divide by the sums over j, where element (i, j) is row i * by + j * along of m.

    total (n, LANES) keeps the inverse sums.
    """
    for i in range(n):
        inverse = total[i]
        inverse[:] = F(0)
        for j in range(n):
            x = m[i * by + j * along]
            for k in range(LANES):
                inverse[k] += x[k]
        for k in range(LANES):
            inverse[k] = F(1) / inverse[k]
        for j in range(n):
            x = m[i * by + j * along]
            for k in range(LANES):
                x[k] *= inverse[k]


@part
def _normalise_backward(m, inverse, g, n, by, along, mean):
    """Replace g by (g - sum g m) / sum, where m is normalised and `inverse` is 1 / sum."""
    for i in range(n):
        mean[:] = F(0)
        for j in range(n):
            x, y = m[i * by + j * along], g[i * by + j * along]
            for k in range(LANES):
                mean[k] += x[k] * y[k]
        r = inverse[i]
        for j in range(n):
            y = g[i * by + j * along]
            for k in range(LANES):
                y[k] = (y[k] - mean[k]) * r[k]


@kernel
def _forward(logits, n, iterations, out, start, stop):
    """Fill in out from logits, both (matrices, n n)."""
    m, total = np.ones((n * n, LANES), np.float32), np.empty((n, LANES), np.float32)
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop)
        _start(logits[first:last], n, m)
        for _ in range(iterations):
            _normalise(m, n, 1, n, total)
            _normalise(m, n, n, 1, total)
        for k in range(last - first):
            for e in range(n * n):
                out[first + k, e] = m[e, k]


@kernel
def _backward(logits, n, iterations, grad, dlogits, start, stop):
    kept = np.ones((1 + 2 * iterations, n * n, LANES), np.float32)
    total = np.empty((1 + 2 * iterations, n, LANES), np.float32)
    g, mean = np.zeros((n * n, LANES), np.float32), np.empty(LANES, np.float32)
    for first in range(start, stop, LANES):
        last = min(first + LANES, stop)
        _start(logits[first:last], n, kept[0])
        for s in range(1, 1 + 2 * iterations):
            kept[s] = kept[s - 1]
            columns = s % 2 == 1
            _normalise(kept[s], n, 1 if columns else n, n if columns else 1, total[s])
        for k in range(last - first):
            for e in range(n * n):
                g[e, k] = grad[first + k, e]
        for s in range(2 * iterations, 0, -1):
            columns = s % 2 == 1
            by, along = 1 if columns else n, n if columns else 1
            _normalise_backward(kept[s], total[s], g, n, by, along, mean)
        lowest = exp(F(FLOOR))  # clamped, so without a gradient
        for k in range(last - first):
            for e in range(n * n):
                x = kept[0, e, k]
                dlogits[first + k, e] = g[e, k] * x if x > lowest else F(0)


class Sinkhorn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, iterations: int) -> Tensor:
        logits, n = logits.contiguous(), logits.shape[-1]
        ctx.save_for_backward(logits)
        ctx.iterations = iterations
        out = torch.empty_like(logits)
        flat = logits.view(-1, n * n)
        arguments = flat.numpy(), n, iterations, out.view(-1, n * n).numpy()
        over_batch(_forward, arguments, len(flat), 2 * iterations * logits.numel())
        return out

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (logits,) = ctx.saved_tensors
        n, dlogits = logits.shape[-1], torch.empty_like(logits)
        flat, grad = logits.view(-1, n * n), grad.contiguous().view(-1, n * n)
        arguments = (
            flat.numpy(),
            n,
            ctx.iterations,
            grad.numpy(),
            dlogits.view(-1, n * n).numpy(),
        )
        over_batch(_backward, arguments, len(flat), 5 * ctx.iterations * logits.numel())
        return dlogits, None
