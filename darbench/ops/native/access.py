"""Vectors to and from memory in other ways than whole, in rows, and through the cache."""

from llvmlite import ir
from numba import types

from darbench.ops.native.lowering import (
    Vector,
    call,
    constant,
    literal,
    order,
    pointer,
    spread,
    vector_type,
)

SIDE = 16  # of the matrix that `turn` turns
_ALIGN = ir.Constant(ir.IntType(32), 4)  # of an address, in bytes


@literal
def load_first(typing, address, count, lanes):
    """The first `count` numbers from the address on, then zeros; no others are looked at."""

    def code(context, builder, signature, arguments):
        kind = vector_type(lanes.literal_value)
        given = pointer(builder, arguments[0], kind.count), _ALIGN
        parts = *given, _first(builder, arguments[1], kind.count), constant(kind, 0)
        signature = ir.FunctionType(kind, [part.type for part in parts])
        return call(builder, f"llvm.masked.load.v{kind.count}f32.p0", signature, *parts)

    return Vector(lanes.literal_value)(types.int64, types.int64, lanes), code


@literal
def store_first(typing, address, count, x):
    """Store the first `count` numbers of x, and touch no others."""

    def code(context, builder, signature, arguments):
        at = pointer(builder, arguments[0], x.lanes)
        parts = arguments[2], at, _ALIGN, _first(builder, arguments[1], x.lanes)
        signature = ir.FunctionType(ir.VoidType(), [part.type for part in parts])
        call(builder, f"llvm.masked.store.v{x.lanes}f32.p0", signature, *parts)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, x), code


def _first(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """The mask of the first `count` lanes; of all where it is larger."""
    counts = spread(builder, builder.trunc(count, ir.IntType(32)), lanes)
    return builder.icmp_signed("<", ir.Constant(counts.type, [*range(lanes)]), counts)


@literal
def store_past(typing, address, x):
    """Store at an address that x's bytes divide, past the cache: for what is not soon read."""

    def code(context, builder, signature, arguments):
        at = pointer(builder, arguments[0], x.lanes)
        done = builder.store(arguments[1], at, align=4 * x.lanes)
        one = ir.Constant(ir.IntType(32), 1)
        done.set_metadata("nontemporal", builder.module.add_metadata([one]))
        return context.get_dummy_value()

    return types.void(types.int64, x), code


@literal
def prefetch(typing, address):
    """Have the memory at the address brought into the second cache; it need not exist."""

    def code(context, builder, signature, arguments):
        at = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        parts = at, ir.Constant(number, 0), ir.Constant(number, 2), ir.Constant(number, 1)
        signature = ir.FunctionType(ir.VoidType(), [part.type for part in parts])
        call(builder, "llvm.prefetch.p0", signature, *parts)
        return context.get_dummy_value()

    return types.void(types.int64), code


@literal
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
                rows[i] = builder.shuffle_vector(a, b, order(own))
                rows[i + step] = builder.shuffle_vector(a, b, order(other))
        for x, at in zip(rows, _rows(builder, target, target_step), strict=True):
            builder.store(x, at, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), code


def _rows(builder: ir.IRBuilder, address: ir.Value, step: ir.Value) -> list[ir.Value]:
    """The pointers to 16 rows of 16 numbers."""
    apart = builder.mul(step, ir.Constant(step.type, 4))
    made = []
    for _ in range(SIDE):
        made.append(pointer(builder, address, SIDE))
        address = builder.add(address, apart)
    return made
