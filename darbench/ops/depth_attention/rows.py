"""What the kernels for the CPU do with rows of numbers: products, combinations, gradients.

A row is given by its address and size. What is left of it behind whole vectors is done number by
number. Factors and results of the J sources are 16 numbers apart, one for each of as many tokens.
"""

import numpy as np

from darbench.ops.depth_attention.weights import LANES
from darbench.ops.native import vectors as vec
from darbench.ops.native.access import prefetch, store_past
from darbench.ops.native.kernels import F, part, row, section
from darbench.ops.norm import EPS

ADD, SET, PAST = 0, 1, 2  # what is done with a gradient: see `add_gradients`


@section
def _dot(x, y, size):
    """x . y, of what is left of two rows."""
    x_row, y_row, s = row(x, 0, size), row(y, 0, size), F(0)
    for d in range(size):
        s += x_row[d] * y_row[d]
    return s


@part
def inverse_rms(v, size):
    whole, s = 4 * (size // 16 * 16), vec.filled(F(0), 16)
    for d in range(0, whole, 64):
        x = vec.load(v + d, 16)
        s = vec.fma(x, x, s)
    total = vec.total(s)
    if size % 16:
        total += _dot(v + whole, v + whole, size % 16)
    return F(1) / np.sqrt(total / F(size) + F(EPS))


@part
def dot_products(x, next_x, values, at, next_v, n, size, out):
    """Set out[j, r] to x_r . v_jr for n tokens r; four sources at a time share the loads of x.

    x_0 lies at x and v_j0 `at` bytes into v_j; the next token's lie next_x and next_v bytes on.
    """
    whole, many = 4 * (size // 16 * 16), values.size // 4 * 4
    for j in range(0, many, 4):
        v0, v1, v2, v3 = values[j] + at, values[j + 1] + at, values[j + 2] + at, values[j + 3] + at
        into = row(out + 64 * j, 0, 4 * LANES)
        for r in range(n):
            xr, vr = x + r * next_x, r * next_v
            ahead = vr + n * next_v
            s0 = s1 = s2 = s3 = vec.filled(F(0), 16)
            for d in range(0, whole, 64):
                xd = vec.load(xr + d, 16)
                prefetch(v0 + ahead + d)
                prefetch(v1 + ahead + d)
                prefetch(v2 + ahead + d)
                prefetch(v3 + ahead + d)
                s0 = vec.fma(xd, vec.load(v0 + vr + d, 16), s0)
                s1 = vec.fma(xd, vec.load(v1 + vr + d, 16), s1)
                s2 = vec.fma(xd, vec.load(v2 + vr + d, 16), s2)
                s3 = vec.fma(xd, vec.load(v3 + vr + d, 16), s3)
            into[r], into[LANES + r] = vec.total(s0), vec.total(s1)
            into[2 * LANES + r], into[3 * LANES + r] = vec.total(s2), vec.total(s3)
    for j in range(many, values.size):
        v0, into = values[j] + at, row(out + 64 * j, 0, LANES)
        for r in range(n):
            s0 = vec.filled(F(0), 16)
            for d in range(0, whole, 64):
                s0 = vec.fma(
                    vec.load(x + r * next_x + d, 16), vec.load(v0 + r * next_v + d, 16), s0
                )
            into[r] = vec.total(s0)
    if size % 16:
        for j in range(values.size):
            into = row(out + 64 * j, 0, LANES)
            for r in range(n):
                xr, vr = x + r * next_x, values[j] + at + r * next_v
                into[r] += _dot(xr + whole, vr + whole, size % 16)


@section
def _add_rest(weights, values, at, size, out):
    """Add sum_j weights[j, 0] v_j to out, of what is left of the rows."""
    left = row(out, 0, size)
    for j in range(values.size):
        v, w = row(values[j] + at, 0, size), row(weights + 64 * j, 0, 1)[0]
        for d in range(size):
            left[d] += w * v[d]


@part
def add_combination(weights, values, at, size, out):
    """Add sum_j weights[j, 0] v_j to out, 32 numbers at a time, which stay in registers."""
    pairs, whole = size // 32 * 32, size // 16 * 16
    for d in range(0, 4 * pairs, 128):
        s0 = s1 = vec.filled(F(0), 16)
        for j in range(values.size):
            w, v = vec.filled_from(weights + 64 * j, 16), values[j] + at + d
            s0, s1 = vec.fma(w, vec.load(v, 16), s0), vec.fma(w, vec.load(v + 64, 16), s1)
        vec.store(out + d, vec.add(vec.load(out + d, 16), s0))
        vec.store(out + d + 64, vec.add(vec.load(out + d + 64, 16), s1))
    for d in range(4 * pairs, 4 * whole, 64):
        s0 = vec.filled(F(0), 16)
        for j in range(values.size):
            w = vec.filled_from(weights + 64 * j, 16)
            s0 = vec.fma(w, vec.load(values[j] + at + d, 16), s0)
        vec.store(out + d, vec.add(vec.load(out + d, 16), s0))
    if size % 16:
        _add_rest(weights, values, at + 4 * whole, size % 16, out + 4 * whole)


@part
def _put(x, at, how):
    if how == ADD:
        vec.store(at, vec.add(vec.load(at, 16), x))
    elif how == SET:
        vec.store(at, x)
    else:
        store_past(at, x)


@section
def _add_rest_of_gradients(dh, q, v, weights, r, size, dv, how, dq):
    alpha, slope, radial = weights
    of_dh, of_q, of_v = row(dh, 0, size), row(q, 0, size), row(v, 0, size)
    of_dv, of_dq = row(dv, 0, size), row(dq, 0, size)
    for d in range(size):
        own = alpha[r] * of_dh[d] + slope[r] * of_q[d] - radial[r] * of_v[d]
        of_dv[d] = of_dv[d] + own if how == ADD else own
        of_dq[d] += slope[r] * of_v[d]


@part
def add_gradients(dh, q, next_q, v, next_v, weights, n, size, dv, how, dq):
    """Put alpha_r dh_r + slope_r q_r - radial_r v_r into dv_r, and add slope_r v_r to dq_r.

    For n tokens r of one source. weights: alpha, slope and radial. how: ADD to dv, SET it, or set
    it PAST the cache.
    """
    alpha, slope, radial = weights
    whole = 4 * (size // 16 * 16)
    for r in range(n):
        a, s, c = vec.filled(alpha[r], 16), vec.filled(slope[r], 16), vec.filled(-radial[r], 16)
        for d in range(0, whole, 64):
            at, of_q = r * next_v + d, r * next_q + d
            x = vec.load(v + at, 16)
            g = vec.fma(s, vec.load(q + of_q, 16), vec.multiply(a, vec.load(dh + at, 16)))
            _put(vec.fma(c, x, g), dv + at, how)
            vec.store(dq + of_q, vec.fma(s, x, vec.load(dq + of_q, 16)))
    if size % 16:
        for r in range(n):
            at, of_q = r * next_v + whole, r * next_q + whole
            left = dh + at, q + of_q, v + at, weights, r, size % 16, dv + at, how, dq + of_q
            _add_rest_of_gradients(*left)


@part
def add_gradients_of_one(dh, q, v, next_v, weights, n, size, dv, how, dq):
    """Like `add_gradients`, of n tokens with one query q.

    Only for a multiple of 32 numbers: of as many, q and the sum for dq stay in registers.
    """
    alpha, slope, radial = weights
    for d in range(0, 4 * size, 128):
        q0, q1 = vec.load(q + d, 16), vec.load(q + d + 64, 16)
        p0 = p1 = vec.filled(F(0), 16)
        for r in range(n):
            a, s, c = (
                vec.filled(alpha[r], 16),
                vec.filled(slope[r], 16),
                vec.filled(-radial[r], 16),
            )
            at = r * next_v + d
            v0, v1 = vec.load(v + at, 16), vec.load(v + at + 64, 16)
            p0, p1 = vec.fma(s, v0, p0), vec.fma(s, v1, p1)
            g0 = vec.fma(s, q0, vec.multiply(a, vec.load(dh + at, 16)))
            g1 = vec.fma(s, q1, vec.multiply(a, vec.load(dh + at + 64, 16)))
            _put(vec.fma(c, v0, g0), dv + at, how)
            _put(vec.fma(c, v1, g1), dv + at + 64, how)
        vec.store(dq + d, vec.add(vec.load(dq + d, 16), p0))
        vec.store(dq + d + 64, vec.add(vec.load(dq + d + 64, 16), p1))
