"""Tools for the native kernels: compilation, rows at an address, exp, threads over a batch."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import carray, config, njit, types
from numba.extending import intrinsic
from torch import Tensor

from darbench.ops.kept import cache_folder

# Sums may be reordered and products fused, which vectorises them; NaN and infinity keep their
# meaning, for a diverging run must be seen to diverge.
_MATH = {"reassoc", "contract", "nsz", "arcp"}
GRAIN = 1 << 18  # multiply-adds below which a second thread costs more than it saves
F = np.float32

_compiled = partial(njit, nogil=True, fastmath=_MATH, error_model="numpy")
# Only kernels call a part, and it is inlined: left to itself, LLVM makes calls of the larger ones,
# which takes half of the time of a narrow row.
part = _compiled(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# A large part that stays a call of its own: within a kernel around it registers would run short.
section = _compiled(no_cpython_wrapper=True, no_cfunc_wrapper=True)


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator of a function that is compiled when first called, and kept on disk.

    What is kept is valid for these files of `ops`: Numba itself would look at the kernel's own
    file alone, and miss a change in the parts that it calls.
    """
    given = config.CACHE_DIR
    config.CACHE_DIR = given or str(cache_folder())
    try:
        return _compiled(cache=True)(function)
    finally:
        config.CACHE_DIR = given


@intrinsic
def _pointer(typing, address):
    signature = types.CPointer(types.float32)(types.int64)

    def code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, code


@part
def row(address, start, size):
    """The numbers start .. start + size of the float32 tensor at that address."""
    return carray(_pointer(address + 4 * start), (size,))


@part
def matrix(address, start, rows, columns):
    """The matrix (rows, columns) that begins at number `start` of the float32 tensor there."""
    return carray(_pointer(address + 4 * start), (rows, columns))


@part
def address(array):
    """The address of an array within a kernel, which `held` keeps."""
    return np.int64(array.ctypes.data)


@part
def held(array):
    """Keep an array until here, whose address is in use: Numba frees what is not used again."""


@intrinsic
def _float_of(typing, bits):
    signature = types.float32(types.int32)

    def code(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return signature, code


@part
def exp(x):
    """Return exp(x) for x <= 0 to float32's rounding, by a polynomial (Cephes' expf)."""
    nothing = x < F(-87.0)  # the result would be subnormal or zero
    x = max(x, F(-87.0))
    n = np.floor(x * F(1.44269504) + F(0.5))
    f = x - n * F(0.693359375) - n * F(-2.12194440e-4)
    p = F(1.9875691500e-4)
    p = p * f + F(1.3981999507e-3)
    p = p * f + F(8.3334519073e-3)
    p = p * f + F(4.1665795894e-2)
    p = p * f + F(1.6666665459e-1)
    p = p * f + F(5.0000001201e-1)
    p = p * f * f + f + F(1)
    scaled = p * _float_of((np.int32(n) + np.int32(127)) << np.int32(23))
    return F(0) if nothing else scaled


@part
def sigmoid(x):
    e = exp(-abs(x))
    return (F(1) if x > F(0) else e) / (F(1) + e)


@part
def tanh(x):
    """Return tanh(x) to float32's rounding, near 0 by a polynomial (Cephes' tanhf)."""
    size, z = abs(x), x * x
    p = F(-5.70498872745e-3)
    p = p * z + F(2.06390887954e-2)
    p = p * z - F(5.37397155531e-2)
    p = p * z + F(1.33314422036e-1)
    p = p * z - F(3.33332819422e-1)
    e = exp(F(-2) * size)
    far = (F(1) - e) / (F(1) + e)
    return x + x * z * p if size < F(0.625) else (far if x > F(0) else -far)


@part
def dot_products(x, values, start, out):
    """Set out[j] = x . v_j, for four sources at a time, which share the loads of x."""
    size, many = x.size, values.size // 4 * 4
    for j in range(0, many, 4):
        v0, v1 = row(values[j], start, size), row(values[j + 1], start, size)
        v2, v3 = row(values[j + 2], start, size), row(values[j + 3], start, size)
        s0 = s1 = s2 = s3 = F(0)
        for d in range(size):
            s0 += x[d] * v0[d]
            s1 += x[d] * v1[d]
            s2 += x[d] * v2[d]
            s3 += x[d] * v3[d]
        out[j], out[j + 1], out[j + 2], out[j + 3] = s0, s1, s2, s3
    for j in range(many, values.size):
        v0 = row(values[j], start, size)
        s0 = F(0)
        for d in range(size):
            s0 += x[d] * v0[d]
        out[j] = s0


@part
def add_combination(weights, values, start, out):
    """Add sum_j weights[j] v_j to out."""
    size, many = out.size, values.size // 4 * 4
    for j in range(0, many, 4):
        v0, v1 = row(values[j], start, size), row(values[j + 1], start, size)
        v2, v3 = row(values[j + 2], start, size), row(values[j + 3], start, size)
        w0, w1, w2, w3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for d in range(size):
            out[d] += w0 * v0[d] + w1 * v1[d] + w2 * v2[d] + w3 * v3[d]
    for j in range(many, values.size):
        v0, w0 = row(values[j], start, size), weights[j]
        for d in range(size):
            out[d] += w0 * v0[d]


def addresses(tensors: Sequence[Tensor]) -> list[int]:
    """The addresses of contiguous tensors, for `row`."""
    return [x.data_ptr() for x in tensors]


def rows_of(x: Tensor) -> np.ndarray:
    """The addresses of the rows of the first matrix in contiguous x (..., rows, columns)."""
    return x.data_ptr() + 4 * x.shape[-1] * np.arange(x.shape[-2])


def over_batch(
    kernel: Callable[..., None],
    arguments: Sequence[Any],
    batch: int,
    work: int,
    held: Sequence[Any] = (),
    sums: Sequence[Tensor] = (),
) -> None:
    """Call kernel(*arguments, start, stop) over parts of 0 .. batch, on torch's number of threads.

    Tensors among the arguments are replaced by their addresses; held: tensors to keep alive, whose
    addresses are in arrays. sums: tensors of zeros to which a kernel adds something of every
    sample; their addresses are its argument before `start`, every part has its own, and they are
    added up. Kernels release the GIL. work: multiply-adds in all; little work stays on one thread.
    """
    values = [x.data_ptr() if isinstance(x, Tensor) else x for x in arguments]
    threads = min(torch.get_num_threads(), batch, 1 + work // GRAIN)
    if threads <= 1:
        kernel(*values, *_added(sums), 0, batch)
        return
    first, *rest = pairwise([batch * i // threads for i in range(threads + 1)])
    partial = [[torch.zeros_like(x) for x in sums] for _ in rest]
    others = [
        _pool().submit(_run, (arguments, held, own), kernel, *values, *_added(own), *bounds)
        for own, bounds in zip(partial, rest, strict=True)
    ]
    kernel(*values, *_added(sums), *first)
    for own, other in zip(partial, others, strict=True):
        other.result()
        for x, part in zip(sums, own, strict=True):
            x.add_(part)


def _added(sums: Sequence[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(addresses(sums))] if sums else []


def _run(held: Any, kernel: Callable[..., None], *values: Any) -> None:
    """Call the kernel, and keep `held` alive until then, even if Ctrl-C ends the caller."""
    kernel(*values)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="darbench")
