"""Vectors to and from memory in other ways than whole and through the cache."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from darbench.ops.native.vectors import Vector, _constant, _literal, _llvm_type, _order, _pointer

_ALIGN = ir.Constant(ir.IntType(32), 4)  # of an address, in bytes


@_literal
def store_past(typing, address, x):
    """Store at an address that x's bytes divide, past the cache: for what is not soon read."""

    def code(context, builder, signature, arguments):
        at = _pointer(builder, arguments[0], x.lanes)
        done = builder.store(arguments[1], at, align=4 * x.lanes)
        one = ir.Constant(ir.IntType(32), 1)
        done.set_metadata("nontemporal", builder.module.add_metadata([one]))
        return context.get_dummy_value()

    return types.void(types.int64, x), code


@_literal
def prefetch(typing, address):
    """Have the memory at the address brought into the second cache; it need not exist."""

    def code(context, builder, signature, arguments):
        at = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        parts = at, ir.Constant(number, 0), ir.Constant(number, 2), ir.Constant(number, 1)
        signature = ir.FunctionType(ir.VoidType(), [part.type for part in parts])
        call = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
        builder.call(call, parts)
        return context.get_dummy_value()

    return types.void(types.int64), code


@_literal
def load_first(typing, address, count, lanes):
    """The first `count` numbers from the address on, then zeros; no others are looked at."""

    def code(context, builder, signature, arguments):
        kind = _llvm_type(lanes.literal_value)
        given = _pointer(builder, arguments[0], kind.count), _ALIGN
        parts = *given, _first(builder, arguments[1], kind.count), _constant(kind, 0)
        return _masked(builder, "load", kind, kind, parts)

    return Vector(lanes.literal_value)(types.int64, types.int64, lanes), code


@_literal
def store_first(typing, address, count, x):
    """Store the first `count` numbers of x, and touch no others."""

    def code(context, builder, signature, arguments):
        at = _pointer(builder, arguments[0], x.lanes)
        parts = arguments[2], at, _ALIGN, _first(builder, arguments[1], x.lanes)
        _masked(builder, "store", arguments[2].type, ir.VoidType(), parts)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, x), code


def _first(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """The mask of the first `count` lanes."""
    kind = ir.VectorType(count.type, lanes)
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, count, ir.Constant(ir.IntType(32), 0))
    counts = builder.shuffle_vector(first, nothing, _order([0] * lanes))
    return builder.icmp_signed("<", ir.Constant(kind, [*range(lanes)]), counts)


def _masked(
    builder: ir.IRBuilder, verb: str, kind: ir.Type, returned: ir.Type, parts: tuple[ir.Value, ...]
) -> ir.Value:
    """Call LLVM's masked load or store of vectors of that kind."""
    signature = ir.FunctionType(returned, [part.type for part in parts])
    name = f"llvm.masked.{verb}.v{kind.count}f32.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), parts)
