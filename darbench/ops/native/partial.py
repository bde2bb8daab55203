"""Vectors of which only the first numbers are in memory: what lies behind them is left alone."""

from llvmlite import ir
from numba import types

from darbench.ops.native.vectors import (
    Vector,
    _constant,
    _intrinsic,
    _literal,
    _llvm_type,
    _order,
    _pointer,
)


@_literal
def load_some(typing, address, count, lanes):
    """The first `count` numbers from the address on, where it has more lanes; zeros follow."""

    def code(context, builder, signature, arguments):
        kind = _llvm_type(lanes.literal_value)
        pointer = _pointer(builder, arguments[0], kind.count)
        mask = _first(builder, arguments[1], kind.count)
        given = pointer, ir.Constant(ir.IntType(32), 4), mask, _constant(kind, 0)
        signature = ir.FunctionType(kind, [x.type for x in given])
        return _intrinsic(builder, f"llvm.masked.load.v{kind.count}f32.p0", signature, *given)

    return Vector(lanes.literal_value)(types.int64, types.int64, lanes), code


@_literal
def store_some(typing, address, x, count):
    """Store the first `count` numbers of x, or all that it has."""

    def code(context, builder, signature, arguments):
        pointer = _pointer(builder, arguments[0], x.lanes)
        mask = _first(builder, arguments[2], x.lanes)
        given = arguments[1], pointer, ir.Constant(ir.IntType(32), 4), mask
        signature = ir.FunctionType(ir.VoidType(), [y.type for y in given])
        _intrinsic(builder, f"llvm.masked.store.v{x.lanes}f32.p0", signature, *given)
        return context.get_dummy_value()

    return types.void(types.int64, x, types.int64), code


def _first(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """A mask of the first `count` lanes; of all where it is larger."""
    number = ir.IntType(32)
    whole = ir.VectorType(number, lanes)
    nothing = ir.Constant(whole, ir.Undefined)
    count = builder.trunc(count, number)
    first = builder.insert_element(nothing, count, ir.Constant(number, 0))
    counts = builder.shuffle_vector(first, nothing, _order([0] * lanes))
    return builder.icmp_signed("<", ir.Constant(whole, [*range(lanes)]), counts)
