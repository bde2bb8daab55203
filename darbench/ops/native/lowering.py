"""What the operations on vectors are made of: Numba's type of them, and LLVM's instructions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

# Decorator of an operation: a function of Numba's types that returns its signature and its code.
literal = intrinsic(prefer_literal=True)


class Vector(types.Type):
    """The type of a vector, as Numba sees it."""

    def __init__(self, lanes: int):
        self.lanes = lanes
        super().__init__(f"Vector({lanes})")


@register_model(Vector)
class _InRegisters(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector):
        super().__init__(manager, kind, vector_type(kind.lanes))


def vector_type(lanes: int) -> ir.VectorType:
    return ir.VectorType(ir.FloatType(), lanes)


def pointer(builder: ir.IRBuilder, address: ir.Value, lanes: int) -> ir.Value:
    return builder.inttoptr(address, vector_type(lanes).as_pointer())


def constant(kind: ir.VectorType, value: float) -> ir.Constant:
    """A vector in which every number is this one."""
    return ir.Constant(kind, [float(np.float32(value))] * kind.count)


def spread(builder: ir.IRBuilder, number: ir.Value, lanes: int) -> ir.Value:
    """A vector in which every lane is this number."""
    nothing = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, order([0] * lanes))


def order(indices: Sequence[int]) -> ir.Constant:
    """The lanes that a shuffle takes."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(indices)), indices)


def lanewise(builder: ir.IRBuilder, name: str, *arguments: ir.Value) -> ir.Value:
    """Call the LLVM intrinsic of that name, such as llvm.fma, on vectors of one type."""
    kind = arguments[0].type
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    return call(builder, f"{name}.v{kind.count}f32", signature, *arguments)


def call(
    builder: ir.IRBuilder, name: str, signature: ir.FunctionType, *arguments: ir.Value
) -> ir.Value:
    """Call the LLVM intrinsic of that full name."""
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)
