"""Depth attention on CUDA, in Triton: a program reads all sources of a few tokens.

Sources lie where they were born, at addresses that a kernel is told, so none is copied and one
compilation serves every number of them. They are stored in float32, bfloat16 or float16; all
arithmetic is in float32. The backward keeps the logits alone, and reads the sources once more for
the sum that they weight.
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

STORED = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
BLOCK = 1024  # channels of a program, which takes as many tokens as that are


@triton.jit
def _block(tokens: tl.constexpr, heads: tl.constexpr, size: tl.constexpr):
    """Indices (R, 1, 1), (1, H, 1), (1, 1, D / H) of a program's tokens, heads and channels."""
    row = tl.program_id(0).to(tl.int64) * tokens + tl.arange(0, tokens)
    head = tl.arange(0, triton.next_power_of_2(heads))
    channel = tl.arange(0, triton.next_power_of_2(size))
    return row[:, None, None], head[None, :, None], channel[None, None, :]


@triton.jit
def _pointer(address, dtype: tl.constexpr, alignment: tl.constexpr):
    return tl.multiple_of(tl.load(address), alignment).to(tl.pointer_type(dtype))


@triton.jit
def _load(address, wide, at, mask, stored: tl.constexpr, alignment: tl.constexpr):
    """Numbers of the tensor at an address, as float32, which it is stored in where wide."""
    x = tl.load(_pointer(address, stored, alignment) + at, mask & (wide == 0), other=0.0)
    x = x.to(tl.float32)
    if stored != tl.float32:
        pointer = _pointer(address, tl.float32, alignment)
        x += tl.load(pointer + at, mask & (wide != 0), other=0.0)
    return x


@triton.jit
def _store(address, wide, at, mask, x, stored: tl.constexpr, alignment: tl.constexpr):
    pointer = _pointer(address, stored, alignment)
    tl.store(pointer + at, x.to(stored), mask & (wide == 0))
    if stored != tl.float32:
        tl.store(_pointer(address, tl.float32, alignment) + at, x, mask & (wide != 0))


@triton.jit(do_not_specialize=["count", "rows", "tokens"])
def _forward(
    query, step_b, step_t, table, count, scale, out, kept, rows, tokens,
    block: tl.constexpr, heads: tl.constexpr, size: tl.constexpr, stored: tl.constexpr,
    alignment: tl.constexpr,
):  # fmt: skip
    row, head, channel = _block(block, heads, size)
    there = (row < rows) & (head < heads)
    mask = there & (channel < size)
    place = head * size + channel
    at = row * heads * size + place
    q = tl.load(query + row // tokens * step_b + row % tokens * step_t + place, mask, other=0.0)
    q = q.to(tl.float32)
    top = tl.full(there.shape, -float("inf"), tl.float32)
    total = tl.zeros(there.shape, tl.float32)
    h = tl.zeros(mask.shape, tl.float32)
    for j in tl.range(count, num_stages=3):
        entry = table + 4 * j
        v = _load(entry, tl.load(entry + 3), at, mask, stored, alignment)
        inverse = tl.load(_pointer(entry + 1, tl.float32, alignment) + row, row < rows, other=0.0)
        s = scale * inverse * tl.sum(q * v, 2, keep_dims=True)
        tl.store(kept + (j * rows + row) * heads + head, s, there)
        higher = tl.maximum(top, s)
        shrink, e = tl.exp(top - higher), tl.exp(s - higher)
        top, total, h = higher, shrink * total + e, shrink * h + e * v
    tl.store(out + at, (h / total).to(out.dtype.element_ty), mask)
    tl.store(kept + (count * rows + row) * heads + head, top + tl.log(total), there)
