"""A tile of a product, 8 rows by 48 columns, in registers while the inner dimension goes by.

Eleven loads serve 24 multiply-adds of vectors. A tile is a tuple of vectors, row by row.
"""

from collections.abc import Iterator

from llvmlite import ir
from numba import types
from numba.core import cgutils

from darbench.ops.native.access import prefetch
from darbench.ops.native.kernels import section
from darbench.ops.native.lowering import Vector, lanewise, literal, pointer, spread
from darbench.ops.native.products import LANES

ROWS, WIDTH = 8, 48  # 24 of the 32 registers that AVX-512 has
_TILE = types.UniTuple(Vector(LANES), ROWS * WIDTH // LANES)


@section
def tile(a, down, b, inner, start, start_step, out, out_step):
    """Set out (8, 48) to start + a b, for a (8, inner) and b (inner, 48), whose rows touch.

    All are addresses; rows of a, start and out are their steps apart. What the next rows start
    from is fetched meanwhile.
    """
    x = _loaded(start, start_step)
    for r in range(4 * ROWS, 8 * ROWS, 4):
        for c in range(0, 4 * WIDTH, 4 * LANES):
            prefetch(start + r * start_step + c)
    for d in range(0, 4 * inner, 4):
        x = _with_product(x, a + d, down, b + d * WIDTH)
    _store(out, out_step, x)


@literal
def _with_product(typing, x, a, down, b):
    """A tile plus the product of a column of a and a row of b."""

    def code(context, builder, signature, arguments):
        x, a, down, b = arguments
        row = [builder.load(at, align=4) for at in _vectors(builder, b)]
        made, given = [], iter(cgutils.unpack_tuple(builder, x))
        for at in _rows(builder, a, down):
            number = builder.load(builder.inttoptr(at, ir.FloatType().as_pointer()), align=4)
            factor = spread(builder, number, LANES)
            made += [lanewise(builder, "llvm.fma", factor, y, next(given)) for y in row]
        return context.make_tuple(builder, signature.return_type, made)

    return _TILE(_TILE, *3 * [types.int64]), code


@literal
def _loaded(typing, address, step):
    """The tile at the address, whose rows are `step` numbers apart."""

    def code(context, builder, signature, arguments):
        at = [at for row in _rows(builder, *arguments) for at in _vectors(builder, row)]
        made = [builder.load(x, align=4) for x in at]
        return context.make_tuple(builder, signature.return_type, made)

    return _TILE(types.int64, types.int64), code


@literal
def _store(typing, address, step, x):
    def code(context, builder, signature, arguments):
        *given, x = arguments
        at = [at for row in _rows(builder, *given) for at in _vectors(builder, row)]
        for value, to in zip(cgutils.unpack_tuple(builder, x), at, strict=True):
            builder.store(value, to, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, _TILE), code


def _rows(builder: ir.IRBuilder, address: ir.Value, step: ir.Value) -> Iterator[ir.Value]:
    """The addresses of a tile's rows."""
    apart = builder.mul(step, ir.Constant(step.type, 4))
    for i in range(ROWS):
        yield builder.add(address, builder.mul(apart, ir.Constant(step.type, i)))


def _vectors(builder: ir.IRBuilder, address: ir.Value) -> Iterator[ir.Value]:
    """The pointers to the vectors of a row."""
    for i in range(0, 4 * WIDTH, 4 * LANES):
        at = builder.add(address, ir.Constant(address.type, i))
        yield pointer(builder, at, LANES)
