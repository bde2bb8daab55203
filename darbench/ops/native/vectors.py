"""Vectors within kernels: L float32 numbers that stay in registers.

A loop is mostly vectorised by itself. Over few numbers it is not: LLVM unrolls it first, or asks
at every start whether its rows overlap. There a kernel says what it means: load, multiply, store.
`lanes`, the L of a vector, is a literal number in the kernel, best 8 or 16; a processor with
narrower registers takes two.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

SIDE = 16  # of the matrix that `turn` turns
_literal = intrinsic(prefer_literal=True)


class Vector(types.Type):
    """The type of a vector, as Numba sees it."""

    def __init__(self, lanes: int):
        self.lanes = lanes
        super().__init__(f"Vector({lanes})")


@register_model(Vector)
class _InRegisters(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector):
        super().__init__(manager, kind, _llvm_type(kind.lanes))


@_literal
def load(typing, address, lanes):
    """The numbers from the address on."""

    def code(context, builder, signature, arguments):
        return builder.load(_pointer(builder, arguments[0], lanes.literal_value), align=4)

    return Vector(lanes.literal_value)(types.int64, lanes), code


@_literal
def store(typing, address, x):
    def code(context, builder, signature, arguments):
        builder.store(arguments[1], _pointer(builder, arguments[0], x.lanes), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, x), code


@_literal
def filled(typing, number, lanes):
    """A vector in which every number is this one."""

    def code(context, builder, signature, arguments):
        return _filled(builder, arguments[0], lanes.literal_value)

    return Vector(lanes.literal_value)(types.float32, lanes), code


@_literal
def filled_from(typing, address, lanes):
    """A vector in which every number is the one at the address."""

    def code(context, builder, signature, arguments):
        number = builder.load(builder.inttoptr(arguments[0], ir.FloatType().as_pointer()), align=4)
        return _filled(builder, number, lanes.literal_value)

    return Vector(lanes.literal_value)(types.int64, lanes), code


@_literal
def fma(typing, a, b, c):
    """a b + c, rounded once."""

    def code(context, builder, signature, arguments):
        return _call(builder, "llvm.fma", *arguments)

    return a(a, b, c), code


def _elementwise(name: str) -> Callable:
    @_literal
    def operation(typing, a, b):
        def code(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments)

        return a(a, b), code

    return operation


add, subtract, multiply, divide = map(_elementwise, ("fadd", "fsub", "fmul", "fdiv"))


@_literal
def maximum(typing, a, b):
    """The larger number of each pair; which one is open where one of them is NaN."""

    def code(context, builder, signature, arguments):
        return _larger(builder, *arguments)

    return a(a, b), code


@_literal
def within(typing, x, size):
    """x where it lies within -size .. size, the nearer of the two otherwise; NaN stays NaN."""

    def code(context, builder, signature, arguments):
        x, high = arguments[0], _filled(builder, arguments[1], arguments[0].type.count)
        low = builder.fneg(high)
        x = builder.select(builder.fcmp_unordered("<", x, high), x, high)
        return builder.select(builder.fcmp_unordered(">", x, low), x, low)

    return x(x, types.float32), code


@_literal
def total(typing, x):
    """The sum of a vector, in halves."""

    def code(context, builder, signature, arguments):
        return _folded(builder, arguments[0], lambda a, b: builder.fadd(a, b))

    return types.float32(x), code


@_literal
def largest(typing, x):
    def code(context, builder, signature, arguments):
        return _folded(builder, arguments[0], lambda a, b: _larger(builder, a, b))

    return types.float32(x), code


@_literal
def exp(typing, x):
    """Return exp(x) for x <= 88 to float32's rounding, as `kernels.exp` does."""

    def code(context, builder, signature, arguments):
        (given,), kind = arguments, arguments[0].type
        low = _constant(kind, -87.0)  # below, the result would be subnormal or zero
        x = builder.select(builder.fcmp_unordered("<", given, low), low, given)
        n = _call(builder, "llvm.fma", x, _constant(kind, 1.44269504), _constant(kind, 0.5))
        n = _call(builder, "llvm.floor", n)  # never NaN, which is no whole number
        f = _call(builder, "llvm.fma", n, _constant(kind, -0.693359375), given)
        f = _call(builder, "llvm.fma", n, _constant(kind, 2.12194440e-4), f)
        p = _constant(kind, 1.9875691500e-4)
        for term in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5):
            p = _call(builder, "llvm.fma", p, f, _constant(kind, term))
        p = _call(builder, "llvm.fma", builder.fmul(p, f), f, f)
        p = builder.fadd(p, _constant(kind, 1.0))
        whole = ir.VectorType(ir.IntType(32), kind.count)
        bias, shift = (ir.Constant(whole, [m] * kind.count) for m in (127, 23))
        exponent = builder.shl(builder.add(builder.fptosi(n, whole), bias), shift)
        scaled = builder.fmul(p, builder.bitcast(exponent, kind))
        return builder.select(builder.fcmp_ordered("<", given, low), _constant(kind, 0), scaled)

    return x(x), code


@_literal
def turn(typing, source, source_step, target, target_step):
    """Set target[j, i] to source[i, j] for 16 x 16 numbers, whose rows are `step` numbers apart.

    A vector is a row. Rows that are 8, 4, 2 and 1 apart exchange the halves, quarters, ... in
    which they belong to each other.
    """

    def code(context, builder, signature, arguments):
        source, source_step, target, target_step = arguments
        rows = [builder.load(at, align=4) for at in _rows(builder, source, source_step)]
        for step in (8, 4, 2, 1):
            own = [j + SIDE - step if j & step else j for j in range(SIDE)]
            other = [j + SIDE if j & step else j + step for j in range(SIDE)]
            for i in (i for i in range(SIDE) if not i & step):
                a, b = rows[i], rows[i + step]
                rows[i] = builder.shuffle_vector(a, b, _order(own))
                rows[i + step] = builder.shuffle_vector(a, b, _order(other))
        for x, at in zip(rows, _rows(builder, target, target_step), strict=True):
            builder.store(x, at, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), code


def _rows(builder: ir.IRBuilder, address: ir.Value, step: ir.Value) -> list[ir.Value]:
    """The pointers to 16 rows of 16 numbers."""
    apart = builder.mul(step, ir.Constant(step.type, 4))
    made = []
    for _ in range(SIDE):
        made.append(_pointer(builder, address, SIDE))
        address = builder.add(address, apart)
    return made


def _llvm_type(lanes: int) -> ir.VectorType:
    return ir.VectorType(ir.FloatType(), lanes)


def _pointer(builder: ir.IRBuilder, address: ir.Value, lanes: int) -> ir.Value:
    return builder.inttoptr(address, _llvm_type(lanes).as_pointer())


def _constant(kind: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(kind, [float(np.float32(value))] * kind.count)


def _filled(builder: ir.IRBuilder, number: ir.Value, lanes: int) -> ir.Value:
    nothing = ir.Constant(_llvm_type(lanes), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, _order([0] * lanes))


def _larger(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_unordered(">", a, b), a, b)


def _folded(builder: ir.IRBuilder, x: ir.Value, combine: Callable) -> ir.Value:
    """Combine one half of the vector with the other, and so on, until one number is left."""
    lanes = x.type.count
    step = lanes
    while step := step // 2:
        turned = builder.shuffle_vector(x, x, _order([(i + step) % lanes for i in range(lanes)]))
        x = combine(x, turned)
    return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))


def _order(indices: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), indices)


def _call(builder: ir.IRBuilder, name: str, *arguments: ir.Value) -> ir.Value:
    """Call the LLVM intrinsic of that name, such as llvm.fma, for vectors of one type."""
    kind = arguments[0].type
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    return _intrinsic(builder, f"{name}.v{kind.count}f32", signature, *arguments)


def _intrinsic(
    builder: ir.IRBuilder, name: str, signature: ir.FunctionType, *arguments: ir.Value
) -> ir.Value:
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)
