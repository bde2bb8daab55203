"""Products of large matrices on the CPU in float32, where a register holds 16 numbers.

Blocked as in Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008,
doi:10.1145/1356052.1356053): some rows of b lie in panels, as wide as a tile, of which one stays
in the second cache while rows of a go by. A number is summed in the order of the inner dimension,
whatever the other rows are.
"""

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import address, held, kernel, over_batch, section
from darbench.ops.native.products import LANES, panel, turned
from darbench.ops.native.tiles import ROWS, WIDTH, tile

INNER, BLOCK = 512, 192  # of the inner dimension, and rows of a, that are taken at once


def matmul(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a b + bias for matrices a (M, K) and b (K, N), and bias (N,) without gaps."""
    if not _fit(a, b):
        return a @ b if bias is None else torch.addmm(bias, a, b)
    (rows, inner), columns = a.shape, b.shape[1]
    out, start = a.new_empty(rows, columns), b.new_zeros(columns) if bias is None else bias
    given = a, *a.stride(), b, *b.stride(), start, out, rows, inner, columns
    over_batch(_matmul, given, -(-rows // LANES), rows * inner * columns)
    return out


def _fit(a: Tensor, b: Tensor) -> bool:
    """Whether there are such registers, and whole vectors of what is written or turned."""
    sizes = [b.shape[1]]
    sizes += [x.shape[0] for x in (a, b) if x.stride(1) != 1]
    plain = a.numel() > 0 and 1 in a.stride() and 1 in b.stride()
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return wide and plain and not any(size % LANES for size in sizes)


@kernel
def _matmul(a, down, across, b, step, along, bias, out, rows, inner, columns, start, stop):
    """Fill in the rows 16 start .. 16 stop of out (rows, columns).

    Strides are those of the matrices; one of each is 1.
    """
    depth, last = min(INNER, inner), min(rows, LANES * stop)
    panels = np.empty(-(-columns // WIDTH) * WIDTH * depth, np.float32)
    block = np.empty(BLOCK * (depth + LANES), np.float32)
    for d in range(0, inner, INNER):
        size = min(INNER, inner - d)
        _pack(b + 4 * d * step, step, along, size, columns, address(panels))
        for r in range(LANES * start, last, BLOCK):
            count, of, apart = min(BLOCK, last - r), a + 4 * (r * down + d * across), down
            if across != 1:
                turned(of, across, size, count, address(block), depth + LANES)
                of, apart = address(block), depth + LANES
            to = out + 4 * r * columns
            begin, begin_step = (to, columns) if d else (bias, 0)
            _multiply(of, apart, address(panels), begin, begin_step, to, count, size, columns)
    held(panels)
    held(block)


@section
def _pack(b, step, along, inner, columns, out):
    """Set out to panels (inner, 48) of b (inner, columns); the last one may have fewer columns."""
    if along != 1:
        for c in range(0, columns, LANES):
            to = out + 4 * (c // WIDTH * WIDTH * inner + c % WIDTH)
            turned(b + 4 * c * along, along, LANES, inner, to, WIDTH)
        return
    for d in range(inner):
        for c in range(0, columns, LANES):
            to = out + 4 * ((c // WIDTH * inner + d) * WIDTH + c % WIDTH)
            vec.store(to, vec.load(b + 4 * (d * step + c), 16))


@section
def _multiply(a, down, panels, start, start_step, out, rows, inner, columns):
    """Set out (rows, columns) to start + a b: whole tiles, then the rows or columns left."""
    for c in range(0, columns, WIDTH):
        b = panels + 4 * c * inner
        whole = rows // ROWS * ROWS if c + WIDTH <= columns else 0
        for r in range(0, 4 * whole, 4 * ROWS):
            s, o = start + r * start_step + 4 * c, out + r * columns + 4 * c
            tile(a + r * down, down, b, inner, s, start_step, o, columns)
        of, left = a + 4 * whole * down, rows - whole
        for i in range(0, 4 * min(WIDTH, columns - c), 4 * LANES):
            s, o = start + 4 * (whole * start_step + c), out + 4 * (whole * columns + c)
            panel(of, down, 1, b + i, WIDTH, left, inner, s + i, start_step, o + i, columns)
