"""Sinkhorn's normalisation on the CPU in float32, 16 matrices side by side in vectors.

What is normalised is u_i m_ij v_j, of which an iteration replaces v by the inverse column sums of
u m, then u by the inverse row sums of m v. After a few iterations m takes u and v in, and they are
1 again: of a matrix whose rows sum to 1 an iteration changes them by no more than a factor of n,
but n iterations may outgrow float32. The backward runs the forward again and keeps nothing but the
logits.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.kernels import F, address, held, kernel, over_batch, part, row
from darbench.ops.sinkhorn.definition import FLOOR

LANES = 32  # matrices of a vector
VECTOR = 4 * LANES  # bytes of one
ROUND = 20  # iterations until m takes u and v in; the first does so at once


@part
def _spread(matrices, many, size, m):
    """Set m (size, LANES) to the numbers of so many matrices, and to zeros if they are too few."""
    if many < LANES:
        m[:] = F(0)
    x = row(matrices, 0, many * size)
    for e in range(size):
        for k in range(many):
            m[e, k] = x[k * size + e]


@part
def _gather(m, many, size, matrices):
    x = row(matrices, 0, many * size)
    for k in range(many):
        for e in range(size):
            x[k * size + e] = m[e, k]


@part
def _start(m, n):
    """Replace logits m (n n, LANES) by exp(logits - their column's largest)."""
    floor = vec.filled(F(FLOOR), LANES)
    for j in range(n):
        top = vec.load(m + VECTOR * j, LANES)
        for i in range(1, n):
            top = vec.maximum(vec.load(m + VECTOR * (i * n + j), LANES), top)
        for i in range(n):
            at = m + VECTOR * (i * n + j)
            below = vec.subtract(vec.load(at, LANES), top)
            vec.store(at, vec.exp(vec.maximum(below, floor)))


@part
def _inverse_sums(m, by, along, n, given, found):
    """Set found_i to 1 / sum_j m_ij given_j, where m_ij is vector i by + j along of m."""
    for i in range(n):
        s = vec.filled(F(0), LANES)
        for j in range(n):
            s = vec.fma(
                vec.load(m + VECTOR * (i * by + j * along), LANES),
                vec.load(given + VECTOR * j, LANES),
                s,
            )
        vec.store(found + VECTOR * i, vec.divide(vec.filled(F(1), LANES), s))


@part
def _take_in(m, n, u, v, out):
    """Set out to u_i m_ij v_j."""
    for i in range(n):
        for j in range(n):
            at = VECTOR * (i * n + j)
            x = vec.multiply(vec.load(m + at, LANES), vec.load(v + VECTOR * j, LANES))
            vec.store(out + at, vec.multiply(x, vec.load(u + VECTOR * i, LANES)))


@part
def _iterate(m, n, iterations, kept):
    """Fill in kept, u of 1 and then v and u of every iteration; return the address of the last."""
    for i in range(n):
        vec.store(kept + VECTOR * i, vec.filled(F(1), LANES))
    step = VECTOR * n
    for _ in range(iterations):
        _inverse_sums(m, 1, n, n, kept, kept + step)
        _inverse_sums(m, n, 1, n, kept + step, kept + 2 * step)
        kept += 2 * step
    return kept


@kernel
def _forward(logits, n, iterations, out, start, stop):
    """Fill in out from logits, both (matrices, n n)."""
    size, step = n * n, VECTOR * n
    ms = np.empty((size, LANES), np.float32)
    kept = np.empty((1 + 2 * ROUND, n, LANES), np.float32)
    m = address(ms)
    for first in range(start, stop, LANES):
        many = min(LANES, stop - first)
        _spread(logits + 4 * first * size, many, size, ms)
        _start(m, n)
        done, due = 0, 1
        while due > 0:
            u = _iterate(m, n, due, address(kept))
            _take_in(m, n, u, u - step, m)
            done += due
            due = min(ROUND, iterations - done)
        _gather(ms, many, size, out + 4 * first * size)
    held(kept)


@part
def _through_taking_in(m, n, u, v, g, du, dv):
    """Set u du and v dv from g, the gradient of u_i m_ij v_j, and replace g by that of m."""
    for j in range(n):
        vec.store(dv + VECTOR * j, vec.filled(F(0), LANES))
    for i in range(n):
        ui, along = vec.load(u + VECTOR * i, LANES), vec.filled(F(0), LANES)
        for j in range(n):
            at = VECTOR * (i * n + j)
            given, scale = (
                vec.load(g + at, LANES),
                vec.multiply(ui, vec.load(v + VECTOR * j, LANES)),
            )
            x = vec.multiply(given, vec.multiply(vec.load(m + at, LANES), scale))
            along = vec.add(along, x)
            vec.store(dv + VECTOR * j, vec.add(x, vec.load(dv + VECTOR * j, LANES)))
            vec.store(g + at, vec.multiply(given, scale))
        vec.store(du + VECTOR * i, along)


@part
def _through_inverse_sums(m, by, along, n, given, found, dfound, g, dgiven):
    """Add to g and dgiven, the gradients of m and given; dfound becomes 0.

    Those of given and found are relative, x dx, for a square of such a number may be infinite.
    """
    for i in range(n):
        ds = vec.multiply(
            vec.load(found + VECTOR * i, LANES), vec.load(dfound + VECTOR * i, LANES)
        )
        vec.store(dfound + VECTOR * i, vec.subtract(vec.filled(F(0), LANES), ds))
    for j in range(n):
        x, sum = vec.load(given + VECTOR * j, LANES), vec.filled(F(0), LANES)
        for i in range(n):
            at, ds = VECTOR * (i * by + j * along), vec.load(dfound + VECTOR * i, LANES)
            sum = vec.fma(vec.load(m + at, LANES), ds, sum)
            vec.store(g + at, vec.fma(ds, x, vec.load(g + at, LANES)))
        vec.store(dgiven + VECTOR * j, vec.fma(sum, x, vec.load(dgiven + VECTOR * j, LANES)))
    for i in range(n):
        vec.store(dfound + VECTOR * i, vec.filled(F(0), LANES))


@part
def _iterate_backward(m, n, iterations, kept, g, du, dv):
    """Replace g, the gradient of the last u_i m_ij v_j, by that of m."""
    step = VECTOR * n
    u = kept + 2 * iterations * step
    _through_taking_in(m, n, u, u - step, g, du, dv)
    for _ in range(iterations):
        _through_inverse_sums(m, n, 1, n, u - step, u, du, g, dv)
        _through_inverse_sums(m, 1, n, n, u - 2 * step, u - step, dv, g, du)
        u -= 2 * step


@part
def _through_start(m, size, g):
    """Replace g by the gradient of the logits, of which those at the floor have none."""
    lowest, none = vec.exp(vec.filled(F(FLOOR), LANES)), vec.filled(F(0), LANES)
    for e in range(0, VECTOR * size, VECTOR):
        x = vec.load(m + e, LANES)
        slope = vec.multiply(vec.load(g + e, LANES), x)
        vec.store(g + e, vec.where_less(lowest, x, slope, none))


@kernel
def _backward(logits, n, iterations, grad, dlogits, start, stop):
    """Fill in dlogits from grad, both (matrices, n n)."""
    size, rounds = n * n, 1 + -(-(iterations - 1) // ROUND)
    ms = np.empty((rounds, size, LANES), np.float32)
    kept = np.empty((rounds, 1 + 2 * ROUND, n, LANES), np.float32)
    g, scales = np.empty((size, LANES), np.float32), np.empty((2, n, LANES), np.float32)
    for first in range(start, stop, LANES):
        many = min(LANES, stop - first)
        _spread(logits + 4 * first * size, many, size, ms[0])
        _spread(grad + 4 * first * size, many, size, g)
        _start(address(ms), n)
        for i in range(rounds):
            m, due = address(ms[i]), min(ROUND, iterations - 1 - (i - 1) * ROUND) if i else 1
            u = _iterate(m, n, due, address(kept[i]))
            if i + 1 < rounds:
                _take_in(m, n, u, u - VECTOR * n, address(ms[i + 1]))
        for i in range(rounds - 1, -1, -1):
            m, due = address(ms[i]), min(ROUND, iterations - 1 - (i - 1) * ROUND) if i else 1
            du, dv = address(scales[0]), address(scales[1])
            _iterate_backward(m, n, due, address(kept[i]), address(g), du, dv)
        _through_start(address(ms), size, address(g))
        _gather(g, many, size, dlogits + 4 * first * size)
    held(ms)
    held(kept)
    held(scales)


class Sinkhorn(NativeFunction):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, iterations: int) -> Tensor:
        logits, n = logits.contiguous(), logits.shape[-1]
        ctx.save_for_backward(logits)
        ctx.iterations, out = iterations, torch.empty_like(logits)
        matrices = logits.numel() // (n * n)
        given = logits, n, iterations, out
        over_batch(_forward, given, matrices, 2 * iterations * logits.numel())
        return out

    @staticmethod
    @first_order
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (logits,) = ctx.saved_tensors
        n, dlogits = logits.shape[-1], torch.empty_like(logits)
        given = logits, n, ctx.iterations, grad.contiguous(), dlogits
        matrices = logits.numel() // (n * n)
        over_batch(_backward, given, matrices, 5 * ctx.iterations * logits.numel())
        return dlogits, None
