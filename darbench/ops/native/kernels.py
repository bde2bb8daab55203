"""Tools for the native kernels: compilation, rows at an address, threads over a batch."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
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
    config.CACHE_DIR = str(cache_folder())
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


def addresses(tensors: Sequence[Tensor]) -> list[int]:
    """The addresses of contiguous tensors, for `row`."""
    return [x.data_ptr() for x in tensors]


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


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of its threads
