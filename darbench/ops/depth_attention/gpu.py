"""Depth attention on CUDA, in Triton: a program reads all sources of a few tokens.

A kernel is given the addresses of the sources, so that none is copied and one compilation serves
every number of them. They are stored in float32, bfloat16 or float16; all arithmetic is in
float32. The backward keeps only the logits, and recomputes their weighted sum.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from darbench.ops.norm import inverse_rms

STORED = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
CHANNELS = 1024  # channels that a program reads of each source: as many tokens as fit
CHANNELS_OF_A_THREAD = 8  # 16 bytes of bfloat16, the widest load there is


@triton.jit
def _indices(rows, block: tl.constexpr, heads: tl.constexpr, size: tl.constexpr):
    """A program's tokens (R, 1, 1), heads (1, H, 1) and channels (1, H, D / H), then two masks.

    The masks say which pairs (token, head) and which (token, channel) exist.
    """
    row = (tl.program_id(0).to(tl.int64) * block + tl.arange(0, block))[:, None, None]
    head = tl.arange(0, triton.next_power_of_2(heads))[None, :, None]
    channel = tl.arange(0, triton.next_power_of_2(size))[None, None, :]
    there = (row < rows) & (head < heads)
    return row, head, channel + head * size, there, there & (channel < size)


@triton.jit
def _tensor(entry, dtype: tl.constexpr, alignment: tl.constexpr):
    return tl.multiple_of(tl.load(entry).to(tl.pointer_type(dtype)), alignment)


@triton.jit
def _load(entry, wide, at, mask, stored: tl.constexpr, mixed: tl.constexpr, aligned: tl.constexpr):
    """Load numbers of the tensor at an entry's address, which is float32 where wide."""
    x = tl.load(_tensor(entry, stored, aligned) + at, mask & (wide == 0), 0.0).to(tl.float32)
    if mixed:
        x += tl.load(_tensor(entry, tl.float32, aligned) + at, mask & (wide != 0), 0.0)
    return x


@triton.jit
def _add(
    entry, wide, at, mask, x, stored: tl.constexpr, mixed: tl.constexpr, aligned: tl.constexpr
):
    x += _load(entry, wide, at, mask, stored, mixed, aligned)
    tl.store(_tensor(entry, stored, aligned) + at, x.to(stored), mask & (wide == 0))
    if mixed:
        tl.store(_tensor(entry, tl.float32, aligned) + at, x, mask & (wide != 0))


@triton.jit(do_not_specialize=["count", "rows", "tokens"])
def _forward(
    query,
    step_b,
    step_t,
    table,
    count,
    scale,
    out,
    kept,
    rows,
    tokens,
    block: tl.constexpr,
    heads: tl.constexpr,
    size: tl.constexpr,
    stored: tl.constexpr,
    mixed: tl.constexpr,
    aligned: tl.constexpr,
):
    """Fill in out (B T, D) and kept (J + 1, B T, H): the logits, then their log-sum-exp.

    query: the vector of batch element b and token t starts at b step_b + t step_t; table: see
    `_table`.
    """
    row, head, channel, there, mask = _indices(rows, block, heads, size)
    at = row * heads * size + channel
    q = tl.load(query + row // tokens * step_b + row % tokens * step_t + channel, mask, 0.0)
    q = q.to(tl.float32)
    top = tl.full(there.shape, -float("inf"), tl.float32)
    total = tl.zeros(there.shape, tl.float32)
    h = tl.zeros(mask.shape, tl.float32)
    for j in tl.range(count, num_stages=3):
        entry = table + 4 * j
        v = _load(entry, tl.load(entry + 3), at, mask, stored, mixed, aligned)
        inverse = tl.load(_tensor(entry + 1, tl.float32, aligned) + row, row < rows, 0.0)
        s = scale * inverse * tl.sum(q * v, 2, keep_dims=True)
        tl.store(kept + (j * rows + row) * heads + head, s, there)
        higher = tl.maximum(top, s)
        shrink, e = tl.exp(top - higher), tl.exp(s - higher)
        top, total, h = higher, shrink * total + e, shrink * h + e * v
    tl.store(out + at, (h / total).to(out.dtype.element_ty), mask)
    tl.store(kept + (count * rows + row) * heads + head, top + tl.log(total), there)


@triton.jit(do_not_specialize=["count", "rows", "tokens"])
def _backward(
    query,
    step_b,
    step_t,
    table,
    count,
    scale,
    grad,
    kept,
    dquery,
    rows,
    tokens,
    block: tl.constexpr,
    heads: tl.constexpr,
    size: tl.constexpr,
    stored: tl.constexpr,
    mixed: tl.constexpr,
    aligned: tl.constexpr,
):
    """Fill in dquery (B T, D) and the gradients in the table; grad (B T, D) is dLoss/dh.

    With s_j = scale q . v_j / rms_j:  ds_j = alpha_j (dh . v_j - dh . h),
    dv_j = alpha_j dh + scale ds_j / rms_j q - ds_j s_j / (rms_j^2 D) v_j.
    """
    row, head, channel, there, mask = _indices(rows, block, heads, size)
    at = row * heads * size + channel
    q = tl.load(query + row // tokens * step_b + row % tokens * step_t + channel, mask, 0.0)
    q = q.to(tl.float32)
    dh = tl.load(grad + at, mask, 0.0).to(tl.float32)
    total = tl.load(kept + (count * rows + row) * heads + head, there, 0.0)
    h = tl.zeros(mask.shape, tl.float32)
    for j in tl.range(count, num_stages=3):
        entry = table + 4 * j
        v = _load(entry, tl.load(entry + 3), at, mask, stored, mixed, aligned)
        h += tl.exp(tl.load(kept + (j * rows + row) * heads + head, there, 0.0) - total) * v
    mean = tl.sum(dh * h, 2, keep_dims=True)
    dq = tl.zeros(mask.shape, tl.float32)
    for j in tl.range(count, num_stages=3):
        entry = table + 4 * j
        wide = tl.load(entry + 3)
        v = _load(entry, wide, at, mask, stored, mixed, aligned)
        inverse = tl.load(_tensor(entry + 1, tl.float32, aligned) + row, row < rows, 0.0)
        s = tl.load(kept + (j * rows + row) * heads + head, there, 0.0)
        alpha = tl.exp(s - total)
        ds = alpha * (tl.sum(dh * v, 2, keep_dims=True) - mean)
        radial = tl.sum(ds * s, 1, keep_dims=True) * inverse * inverse / (heads * size)
        ds *= scale * inverse
        dq += ds * v
        _add(entry + 2, wide, at, mask, alpha * dh + ds * q - radial * v, stored, mixed, aligned)
    tl.store(dquery + at, dq, mask)


def empty_outputs(values: Sequence[Tensor], heads: int) -> tuple[Tensor, Tensor]:
    """As in `Backend`; h has the sources' widest type, the second is (J + 1, B T, H)."""
    shape, rows = values[0].shape, values[0].shape[:-1].numel()
    out = values[0].new_empty(shape, dtype=max((v.dtype for v in values), key=_width))
    kept = out.new_empty(len(values) + 1, rows, heads, dtype=torch.float32)
    return out, kept


def forward(
    query: Tensor,
    values: Sequence[Tensor],
    inv_rms: Sequence[Tensor],
    scale: float,
    heads: int,
    unknown: Sequence[int] = (),
) -> tuple[Tensor, Tensor]:
    """Like `Backend.forward`."""
    for j in unknown:
        inv_rms[j].copy_(inverse_rms(values[j]))
    out, kept = empty_outputs(values, heads)
    _launch(_forward, query, (values, inv_rms), scale, out, kept, heads=heads)
    return out, kept


def backward(
    grad: Tensor,
    query: Tensor,
    values: Sequence[Tensor],
    inv_rms: Sequence[Tensor],
    kept: Tensor,
    scale: float,
    into: Sequence[Tensor | None],
) -> tuple[Tensor, list[Tensor]]:
    """Like `Backend.backward`."""
    dquery = torch.empty_like(values[0], dtype=torch.float32)
    dvalues = [torch.zeros_like(v) if g is None else g for v, g in zip(values, into, strict=True)]
    tensors, heads = (values, inv_rms, dvalues), kept.shape[-1]
    _launch(_backward, query, tensors, scale, grad.contiguous(), kept, dquery, heads=heads)
    return dquery.sum_to_size(query.shape).to(query.dtype), dvalues


def _width(dtype: torch.dtype) -> int:
    return dtype.itemsize


def _launch(
    kernel: Any,
    query: Tensor,
    tensors: Sequence[Sequence[Tensor]],
    scale: float,
    *arguments: Tensor,
    heads: int,
) -> None:
    """Run a kernel over all tokens.

    tensors: the value, the inverse RMS and, in a backward, the gradient of every source.
    """
    batch, tokens, width = tensors[0][0].shape
    query = query.contiguous().expand(batch, tokens, width)
    size, dtypes = width // heads, {v.dtype for v in tensors[0]}
    channels = triton.next_power_of_2(heads) * triton.next_power_of_2(size)
    block = max(1, CHANNELS // channels)
    stored = min(dtypes, key=_width)
    table, aligned = _table(tensors, stored)
    with torch.cuda.device_of(table):
        kernel[(triton.cdiv(batch * tokens, block),)](
            query,
            *query.stride()[:2],
            table,
            len(tensors[0]),
            scale,
            *arguments,
            batch * tokens,
            tokens,
            block=block,
            heads=heads,
            size=size,
            stored=STORED[stored],
            mixed=len(dtypes) > 1,
            aligned=aligned,
            num_warps=max(1, min(16, block * channels // (32 * CHANNELS_OF_A_THREAD))),
        )


def _table(tensors: Sequence[Sequence[Tensor]], stored: torch.dtype) -> tuple[Tensor, int]:
    """A table (J, 4) of the sources, and the largest power of two, up to 16, in all addresses.

    A row holds the addresses of value, inverse RMS and gradient (0 where there is none), and
    whether the source is wider than `stored`.
    """
    columns = [[x.data_ptr() for x in column] for column in tensors]
    aligned = math.gcd(16, *itertools.chain(*columns))
    columns += [[0] * len(tensors[0])] * (3 - len(columns))
    columns.append([int(v.dtype != stored) for v in tensors[0]])
    table = torch.tensor(columns).t().contiguous()
    return table.to(tensors[0][0].device, non_blocking=True), aligned
