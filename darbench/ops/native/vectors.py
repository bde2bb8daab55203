"""Vectors within kernels: L float32 numbers that stay in registers.

A loop is mostly vectorised by itself. Over few numbers it is not: LLVM unrolls it first, or asks
at every start whether its rows overlap. There a kernel says what it means: load, multiply, store.
`lanes`, the L of a vector, is a literal number in the kernel, best 8 or 16; a processor with
narrower registers takes two.
"""

from collections.abc import Callable, Sequence

from llvmlite import ir
from numba import types
from numba.core import cgutils

from darbench.ops.native.lowering import (
    Vector,
    constant,
    lanewise,
    literal,
    order,
    pointer,
    spread,
)


@literal
def load(typing, address, lanes):
    """The numbers from the address on."""

    def code(context, builder, signature, arguments):
        return builder.load(pointer(builder, arguments[0], lanes.literal_value), align=4)

    return Vector(lanes.literal_value)(types.int64, lanes), code


@literal
def store(typing, address, x):
    def code(context, builder, signature, arguments):
        builder.store(arguments[1], pointer(builder, arguments[0], x.lanes), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, x), code


@literal
def filled(typing, number, lanes):
    """A vector in which every number is this one."""

    def code(context, builder, signature, arguments):
        return spread(builder, arguments[0], lanes.literal_value)

    return Vector(lanes.literal_value)(types.float32, lanes), code


@literal
def filled_from(typing, address, lanes):
    """A vector in which every number is the one at the address."""

    def code(context, builder, signature, arguments):
        number = builder.load(builder.inttoptr(arguments[0], ir.FloatType().as_pointer()), align=4)
        return spread(builder, number, lanes.literal_value)

    return Vector(lanes.literal_value)(types.int64, lanes), code


@literal
def fma(typing, a, b, c):
    """a b + c, rounded once."""

    def code(context, builder, signature, arguments):
        return lanewise(builder, "llvm.fma", *arguments)

    return a(a, b, c), code


def _elementwise(name: str) -> Callable:
    @literal
    def operation(typing, a, b):
        def code(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments)

        return a(a, b), code

    return operation


add, subtract, multiply, divide = map(_elementwise, ("fadd", "fsub", "fmul", "fdiv"))


@literal
def maximum(typing, a, b):
    """The larger number of each pair; which one is open where one of them is NaN."""

    def code(context, builder, signature, arguments):
        a, b = arguments
        return builder.select(builder.fcmp_unordered(">", a, b), a, b)

    return a(a, b), code


@literal
def within(typing, x, size):
    """x where it lies within -size .. size, the nearer of the two otherwise; NaN stays NaN."""

    def code(context, builder, signature, arguments):
        x, high = arguments[0], spread(builder, arguments[1], arguments[0].type.count)
        low = builder.fneg(high)
        x = builder.select(builder.fcmp_unordered("<", x, high), x, high)
        return builder.select(builder.fcmp_unordered(">", x, low), x, low)

    return x(x, types.float32), code


@literal
def where_less(typing, a, b, x, y):
    """x where a < b, else y."""

    def code(context, builder, signature, arguments):
        a, b, x, y = arguments
        return builder.select(builder.fcmp_ordered("<", a, b), x, y)

    return x(a, b, x, y), code


@literal
def total(typing, x):
    """The sum of a vector: one half is added to the other, and so on."""

    def code(context, builder, signature, arguments):
        (total,), step = arguments, x.lanes
        while step := step // 2:
            turned = order([(i + step) % x.lanes for i in range(x.lanes)])
            total = builder.fadd(total, builder.shuffle_vector(total, total, turned))
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(x), code


@literal
def totals(typing, vectors):
    """The sums of a tuple of vectors, a power of two, as a vector."""

    def code(context, builder, signature, arguments):
        return _jointly_folded(builder, cgutils.unpack_tuple(builder, arguments[0]))

    return Vector(len(vectors))(vectors), code


@literal
def root(typing, x):
    def code(context, builder, signature, arguments):
        return lanewise(builder, "llvm.sqrt", *arguments)

    return x(x), code


# 2^f for |f| <= 1/2 is 1 + f (...), to 1.1e-7; the coefficients of the highest power first.
_POWER = (1.3264591e-3, 9.6716192e-3, 5.5507351e-2, 2.4022241e-1, 6.9314700e-1)
_WHOLE = 1.5 * 2**23  # float32 numbers near this are whole, and their lowest bits count them


@literal
def exp(typing, x):
    """Return exp(x) for x <= 88 to float32's rounding; below -87 it is exp(-87).

    It is 2^n 2^f for n + f = x / ln 2, of which n is added to the exponent.
    """

    def code(context, builder, signature, arguments):
        (given,), kind = arguments, arguments[0].type
        low, scale, whole = (constant(kind, c) for c in (-87.0, 1.44269504, _WHOLE))
        x = builder.select(builder.fcmp_ordered("<", given, low), low, given)
        near = lanewise(builder, "llvm.fma", x, scale, whole)
        n = builder.fsub(near, whole)
        f = lanewise(builder, "llvm.fma", x, scale, builder.fneg(n))
        p = constant(kind, _POWER[0])
        for term in (*_POWER[1:], 1.0):
            p = lanewise(builder, "llvm.fma", p, f, constant(kind, term))
        bits = ir.VectorType(ir.IntType(32), kind.count)
        shift = ir.Constant(bits, [23] * kind.count)
        exponent = builder.shl(builder.bitcast(near, bits), shift)
        return builder.bitcast(builder.add(builder.bitcast(p, bits), exponent), kind)

    return x(x), code


def _jointly_folded(builder: ir.IRBuilder, vectors: Sequence[ir.Value]) -> ir.Value:
    """The sums of a power of two of vectors: two by two their halves are put side by side and
    added, then what is left of each vector is folded where it lies."""
    lanes, size = vectors[0].type.count, vectors[0].type.count
    while len(vectors) > 1:
        low = [i for i in range(2 * lanes) if i % size < size // 2]
        sides = ([i + shift for i in low] for shift in (0, size // 2))
        low, high = map(order, sides)
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [
            builder.fadd(builder.shuffle_vector(a, b, low), builder.shuffle_vector(a, b, high))
            for a, b in pairs
        ]
        size //= 2
    (x,), step = vectors, size
    while step := step // 2:
        turned = order([i - i % size + (i + step) % size for i in range(lanes)])
        x = builder.fadd(x, builder.shuffle_vector(x, x, turned))
    return builder.shuffle_vector(x, x, order([*range(0, lanes, size)]))
