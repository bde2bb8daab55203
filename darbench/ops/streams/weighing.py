"""How a token's streams are weighed, and back: parts of the kernels of a hyper-connection.

Weights (K, S) are made of raw, the product (K, S) of K columns and a token's streams over their
RMS. A token's raw, and what is like it, has whole vectors of memory, `step` bytes after the last.
"""

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import load_first, store_first
from darbench.ops.native.curves import tanh
from darbench.ops.native.kernels import F, part
from darbench.ops.streams.rows import (
    get,
    load_rows,
    next_rows,
    plus_combined,
    plus_scaled,
    put,
    squares,
    store_rows,
    zeros,
)


@part
def turn(x, rows, columns, out):
    """Set out (columns, rows) to the transposed matrix x (rows, columns)."""
    for i in range(rows):
        for j in range(columns):
            put(out + 4 * (j * rows + i), get(x + 4 * (i * columns + j)))


@part
def repeat(x, rows, columns, out):
    """Set every number of row i of out (rows, columns) to x_i."""
    for i in range(rows):
        for j in range(columns):
            put(out + 4 * (i * columns + j), get(x + 4 * i))


@part
def inverse_rms(x, count, span, eps, out, out_step, tokens):
    """Set out (S,) to the inverse RMS of a token's streams x (S, D)."""
    squares(x, count, count * span, span, out, out_step, tokens)
    share, bias = vec.filled(F(4) / F(span), 16), vec.filled(eps, 16)
    for r in range(tokens):
        for s in range(0, count, 16):
            at = out + r * out_step + 4 * s
            mean = vec.fma(load_first(at, count - s, 16), share, bias)
            n = vec.divide(vec.filled(F(1), 16), vec.root(mean))
            store_first(at, count - s, n)


@part
def normalise(x, inverses, inverse_step, count, span, out, tokens):
    """Set out (S, D) to a token's streams x over their RMS."""
    for r in range(tokens):
        for s in range(count):
            n, at = (
                vec.filled_from(inverses + r * inverse_step + 4 * s, 16),
                (r * count + s) * span,
            )
            for d in range(at, at + span, 64):
                vec.store(out + d, vec.multiply(vec.load(x + d, 16), n))


@part
def weigh(raw, raw_step, rest, sizes, squash, flat, own, out, tokens):
    """Set own, and out (K, S), to rest + sizes tanh(raw)."""
    for r in range(tokens):
        f_r, own_r, out_r = raw + r * raw_step, own + r * raw_step, out + 4 * r * flat
        for e in range(0, 4 * flat, 64):
            f = vec.load(f_r + e, 16)
            if squash:
                f = tanh(f)
            w = vec.fma(vec.load(sizes + e, 16), f, vec.load(rest + e, 16))
            vec.store(own_r + e, w)
            store_first(out_r + e, flat - e // 4, w)


@part
def through_weights(later, read, raw, step, sizes, squash, flat, drest, dsize, p, along, tokens):
    """Set p, the gradient of raw, and along, p raw; add to drest and dsize. All are (K, S).

    later and read: gradients of the weights from the next write, and of the first column from the
    read, with zeros behind it.
    """
    one = vec.filled(F(1), 16)
    for r in range(tokens):
        at, later_r = r * step, later + 4 * r * flat
        for e in range(0, 4 * flat, 64):
            d = load_first(later_r + e, flat - e // 4, 16)
            d = vec.add(d, vec.load(read + at + e, 16))
            f = vec.load(raw + at + e, 16)
            squashed, slope = f, vec.load(sizes + e, 16)
            if squash:
                squashed = tanh(f)
                slope = vec.multiply(slope, vec.subtract(one, vec.multiply(squashed, squashed)))
            slope = vec.multiply(d, slope)
            vec.store(drest + e, vec.add(vec.load(drest + e, 16), d))
            vec.store(dsize + e, vec.fma(d, squashed, vec.load(dsize + e, 16)))
            vec.store(p + at + e, slope)
            vec.store(along + at + e, vec.multiply(slope, f))


@part
def radial_of(along, inverses, step, count, many, width, out, tokens):
    """Set out (S,) to - sum_k along_ks / (rms_s D)."""
    share = vec.filled(F(-1) / F(width), 16)
    for r in range(tokens):
        for s in range(0, count, 16):
            total, at = vec.filled(F(0), 16), r * step + 4 * s
            for k in range(many):
                total = vec.add(total, vec.load(along + at + 4 * k * count, 16))
            n = load_first(inverses + at, count - s, 16)
            vec.store(out + at, vec.multiply(total, vec.multiply(n, share)))


@part
def through_norm(
    w, w_step, g, dx, p, columns, inverses, radial, step, normed, count, many, span, out, tokens
):
    """Set out (S, D) to the gradient of a token's streams, from dx and from that of h, g.

    dx_s + A_m[s] g + sum_k p_ks C_k / rms_s + radial_s x_s / rms_s, C the product's columns.
    """
    for s in range(0, count, 4):
        own, rows = next_rows(s, count, 4), next_rows(s, count, span)
        for r in range(tokens):
            at, i, w_r = r * count * span, r * step, w + r * w_step
            for d in range(0, span, 64):
                x, to = load_rows(normed + at + d, rows), g + r * span + d
                sums = plus_combined(load_rows(dx + at + d, rows), w_r, own, 0, to, 1, span)
                sums = plus_scaled(sums, radial + i, own, x)
                inner = plus_combined(zeros(), p + i, own, 4 * count, columns + d, many, span)
                store_rows(plus_scaled(sums, inverses + i, own, inner), out + at + d, rows)


@part
def add_of_columns(p, step, normed, count, many, span, dcolumns, tokens):
    """Add sum_s p_ks x_s / rms_s to column k's gradient, for every column."""
    for k in range(0, many, 4):
        own, rows = next_rows(k, many, 4 * count), next_rows(k, many, span)
        for d in range(0, span, 64):
            sums = load_rows(dcolumns + d, rows)
            for r in range(tokens):
                x = normed + r * count * span + d
                sums = plus_combined(sums, p + r * step, own, 4, x, count, span)
            store_rows(sums, dcolumns + d, rows)
