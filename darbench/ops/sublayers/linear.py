"""Narrow linears within kernels: x weight^T + bias, for rows of x; weight is (outputs, inputs)."""

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import section
from darbench.ops.native.products import LANES, panel, turned


@section
def turn_weight(weight, out, inputs, outputs):
    """Set out to weight^T, as `linear` takes it."""
    turned(weight, inputs, outputs, inputs, out, outputs + LANES)


@section
def linear(x, columns, bias, out, inputs, outputs, rows):
    """Fill in out (rows, outputs); columns is weight^T by `turn_weight`.

    Its rows are apart by more than outputs: were that a power of two, a panel's would lie in the
    same part of the cache.
    """
    for o in range(0, outputs, LANES):
        of, to = columns + 4 * o, out + 4 * o
        panel(x, inputs, 1, of, outputs + LANES, rows, inputs, bias + 4 * o, 0, to, outputs)


@section
def linear_backward(weight, dout, dx, zeros, inputs, outputs, rows):
    """Fill in dx (rows, inputs) = dout weight; zeros: 16 numbers."""
    for i in range(0, inputs, LANES):
        panel(
            dout, outputs, 1, weight + 4 * i, inputs, rows, outputs, zeros, 0, dx + 4 * i, inputs
        )


@section
def add_gradients(x, dout, dweight, dbias, inputs, outputs, rows):
    """Add dout^T x to dweight, and the sum of dout's rows to dbias."""
    for i in range(0, inputs, LANES):
        to = dweight + 4 * i
        panel(dout, 1, outputs, x + 4 * i, inputs, outputs, rows, to, inputs, to, inputs)
    for o in range(0, 4 * outputs, 4 * LANES):
        total = vec.load(dbias + o, 16)
        for r in range(0, 4 * rows * outputs, 4 * outputs):
            total = vec.add(total, vec.load(dout + r + o, 16))
        vec.store(dbias + o, total)
