"""Products of small matrices within kernels, 16 columns at a time.

Four rows of the result stay in registers while the inner dimension goes by. MKL packs its matrices
first, which pays for large ones only.
"""

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import turn
from darbench.ops.native.kernels import F, row, section

LANES = 16  # columns of a panel, one vector


@section
def panel(a, down, across, b, step, rows, inner, start, start_step, out, out_step):
    """Set out (rows, 16) to start + a b, for a (rows, inner) and b (inner, 16).

    All are addresses. The next row of a lies `down` numbers on and its next column `across`; rows
    of b, start and out are their steps apart. A step of 0 starts all rows from the same one.
    """
    for r in range(0, rows - 3, 4):
        a0, s0 = a + 4 * r * down, start + 4 * r * start_step
        a1, a2, a3 = a0 + 4 * down, a0 + 8 * down, a0 + 12 * down
        x0, x1 = vec.load(s0, 16), vec.load(s0 + 4 * start_step, 16)
        x2, x3 = vec.load(s0 + 8 * start_step, 16), vec.load(s0 + 12 * start_step, 16)
        for d in range(inner):
            at, y = 4 * d * across, vec.load(b + 4 * d * step, 16)
            x0 = vec.fma(vec.filled_from(a0 + at, 16), y, x0)
            x1 = vec.fma(vec.filled_from(a1 + at, 16), y, x1)
            x2 = vec.fma(vec.filled_from(a2 + at, 16), y, x2)
            x3 = vec.fma(vec.filled_from(a3 + at, 16), y, x3)
        o = out + 4 * r * out_step
        vec.store(o, x0)
        vec.store(o + 4 * out_step, x1)
        vec.store(o + 8 * out_step, x2)
        vec.store(o + 12 * out_step, x3)
    for r in range(rows // 4 * 4, rows):
        x = vec.load(start + 4 * r * start_step, 16)
        for d in range(inner):
            factor = vec.filled_from(a + 4 * (r * down + d * across), 16)
            x = vec.fma(factor, vec.load(b + 4 * d * step, 16), x)
        vec.store(out + 4 * r * out_step, x)


@section
def turned(x, step, rows, columns, out, out_step):
    """Set out (columns, rows) to x^T for x (rows, columns), columns being a multiple of 16.

    A row of out goes on with zeros up to a multiple of 16.
    """
    whole, padded = rows // 16 * 16, -(-rows // 16) * 16
    for i in range(0, whole, 16):
        for j in range(0, columns, 16):
            turn(x + 4 * (i * step + j), step, out + 4 * (j * out_step + i), out_step)
    for i in range(whole, padded):
        for j in range(columns):
            to = row(out, j * out_step + i, 1)
            to[0] = row(x, i * step + j, 1)[0] if i < rows else F(0)


@section
def turned_back(x, step, rows, columns, out, out_step):
    """Set out (rows, columns) to x^T for x (columns, rows), columns being a multiple of 16."""
    whole = rows // 16 * 16
    for i in range(0, whole, 16):
        for j in range(0, columns, 16):
            turn(x + 4 * (j * step + i), step, out + 4 * (i * out_step + j), out_step)
    for i in range(whole, rows):
        for j in range(columns):
            row(out, i * out_step + j, 1)[0] = row(x, j * step + i, 1)[0]
