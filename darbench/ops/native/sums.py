"""The sums of several vectors at once, at half the work of one by one."""

from collections.abc import Sequence

from llvmlite import ir
from numba.core import cgutils

from darbench.ops.native.vectors import Vector, _literal, _order


@_literal
def totals(typing, vectors):
    """The sums of a tuple of vectors, a power of two, as a vector."""

    def code(context, builder, signature, arguments):
        return _jointly_folded(builder, cgutils.unpack_tuple(builder, arguments[0]))

    return Vector(len(vectors))(vectors), code


def _jointly_folded(builder: ir.IRBuilder, vectors: Sequence[ir.Value]) -> ir.Value:
    """The sums of a power of two of vectors: two by two their halves are put side by side and
    added, then what is left of each vector is folded where it lies."""
    lanes, size = vectors[0].type.count, vectors[0].type.count
    while len(vectors) > 1:
        low = [i for i in range(2 * lanes) if i % size < size // 2]
        sides = ([i + shift for i in low] for shift in (0, size // 2))
        low, high = map(_order, sides)
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [
            builder.fadd(builder.shuffle_vector(a, b, low), builder.shuffle_vector(a, b, high))
            for a, b in pairs
        ]
        size //= 2
    (x,), step = vectors, size
    while step := step // 2:
        turned = _order([i - i % size + (i + step) % size for i in range(lanes)])
        x = builder.fadd(x, builder.shuffle_vector(x, x, turned))
    return builder.shuffle_vector(x, x, _order([*range(0, lanes, size)]))
