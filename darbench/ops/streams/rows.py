"""A few rows of numbers at a time, in explicit vectors: their products, and their weighted sums.

A token's streams are such rows, and so are the columns of a matrix: they lie one behind the other
at an address, and have `span` bytes each, whole vectors of 16 numbers. Four are taken together,
for they share loads and the folding of vectors into sums; where fewer are left, the last one is
taken again, and stored again. `tokens` have the same done to each, `..._step` bytes apart, for
what four rows need first is as much as one token of short rows.
"""

from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import store_first
from darbench.ops.native.kernels import F, part, row

LANES = 16  # numbers of a vector; the width of a row is a multiple
BLOCK = 1 << 12  # the most bytes of a block of tokens' streams, but that of one token


@part
def put(address, x):
    row(address, 0, 1)[0] = x


@part
def get(address):
    return row(address, 0, 1)[0]


@part
def aligned(address):
    """The first whole vector's address from there on: one that straddles cache lines is slow."""
    return (address + 63) // 64 * 64


@part
def next_rows(first, count, span):
    """The offsets of rows first .. first + 3, the last one's again where there are fewer."""
    last = count - 1
    i, j, k = min(first + 1, last), min(first + 2, last), min(first + 3, last)
    return first * span, i * span, j * span, k * span


@part
def zeros():
    none = vec.filled(F(0), 16)
    return none, none, none, none


@part
def load_rows(at, rows):
    """A vector of each of four rows."""
    p, q, r, s = rows
    return vec.load(at + p, 16), vec.load(at + q, 16), vec.load(at + r, 16), vec.load(at + s, 16)


@part
def store_rows(sums, at, rows):
    (a, b, c, e), (p, q, r, s) = sums, rows
    vec.store(at + p, a)
    vec.store(at + q, b)
    vec.store(at + r, c)
    vec.store(at + s, e)


@part
def _plus_products(sums, x, y):
    """Return four sums plus the products of four vectors and one."""
    (a, b, c, e), (p, q, r, s) = sums, x
    return vec.fma(p, y, a), vec.fma(q, y, b), vec.fma(r, y, c), vec.fma(s, y, e)


@part
def plus_scaled(sums, weights, own, vectors):
    """Return four sums, to each of which its own vector has been added, times its own weight.

    Sum i's weight is own_i bytes from `weights`.
    """
    (a, b, c, e), (p, q, r, s), (x, y, z, u) = sums, own, vectors
    return (
        vec.fma(vec.filled_from(weights + p, 16), x, a),
        vec.fma(vec.filled_from(weights + q, 16), y, b),
        vec.fma(vec.filled_from(weights + r, 16), z, c),
        vec.fma(vec.filled_from(weights + s, 16), u, e),
    )


@part
def plus_combined(sums, weights, own, step, rows, count, span):
    """Return four sums and sum_j weight_j row_j, for one vector of each row.

    The weights of sum i begin own_i bytes from `weights` and lie `step` bytes apart.
    """
    (a, b, c, e), (p, q, r, s) = sums, own
    for j in range(count):
        x, w = vec.load(rows + j * span, 16), weights + j * step
        a = vec.fma(vec.filled_from(w + p, 16), x, a)
        b = vec.fma(vec.filled_from(w + q, 16), x, b)
        c = vec.fma(vec.filled_from(w + r, 16), x, c)
        e = vec.fma(vec.filled_from(w + s, 16), x, e)
    return a, b, c, e


@part
def products(x, n, x_step, y, m, y_step, span, out, step, out_step, tokens):
    """Set number i of row j of out, rows `step` bytes apart, to the product of x_i and y_j."""
    for j in range(0, m, 2):
        u, v = j * span, min(j + 1, m - 1) * span
        o, o_too = out + j * step, out + min(j + 1, m - 1) * step
        for i in range(0, n, 4):
            rows = next_rows(i, n, span)
            for r in range(tokens):
                xr, yr, one, two = x + r * x_step, y + r * y_step, zeros(), zeros()
                for d in range(0, span, 64):
                    xs = load_rows(xr + d, rows)
                    one = _plus_products(one, xs, vec.load(yr + u + d, 16))
                    two = _plus_products(two, xs, vec.load(yr + v + d, 16))
                at = r * out_step + 4 * i
                store_first(o + at, n - i, vec.totals(one))
                store_first(o_too + at, n - i, vec.totals(two))


@part
def dots(x, x_step, y, n, y_step, span, out, out_step, tokens):
    """Set out (n,) to the products of x and y_i."""
    for i in range(0, n, 4):
        rows = next_rows(i, n, span)
        for r in range(tokens):
            xr, yr, sums = x + r * x_step, y + r * y_step, zeros()
            for d in range(0, span, 64):
                sums = _plus_products(sums, load_rows(yr + d, rows), vec.load(xr + d, 16))
            store_first(out + r * out_step + 4 * i, n - i, vec.totals(sums))


@part
def squares(x, n, x_step, span, out, out_step, tokens):
    """Set out (n,) to the products of x_i with itself."""
    for i in range(0, n, 4):
        rows = next_rows(i, n, span)
        for r in range(tokens):
            xr, (a, b, c, e) = x + r * x_step, zeros()
            for d in range(0, span, 64):
                p, q, s, t = load_rows(xr + d, rows)
                a, b, c, e = vec.fma(p, p, a), vec.fma(q, q, b), vec.fma(s, s, c), vec.fma(t, t, e)
            store_first(out + r * out_step + 4 * i, n - i, vec.totals((a, b, c, e)))


@part
def combine(weights, w_step, step, rows, count, x_step, span, out, out_step, tokens):
    """Set out to sum_j weight_j row_j, where a token's weights lie `step` bytes apart."""
    for r in range(tokens):
        w, x, o = weights + r * w_step, rows + r * x_step, out + r * out_step
        for d in range(0, span, 64):
            s = vec.filled(F(0), 16)
            for j in range(count):
                s = vec.fma(vec.filled_from(w + j * step, 16), vec.load(x + j * span + d, 16), s)
            vec.store(o + d, s)


def block_of(streams: Tensor) -> int:
    """The number of tokens whose streams stay in the fastest cache."""
    return max(1, BLOCK // (4 * streams.shape[-2:].numel()))
