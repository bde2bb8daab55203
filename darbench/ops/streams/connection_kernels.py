"""The kernels of a hyper-connection: a block of tokens after the other, whose streams stay in the
fastest cache.

In memory the weights of a column lie together, (K, S), and those of our own are padded to whole
vectors. `lines` and `slots` are tuples as long as there are streams and columns: Numba compiles
for their lengths, and LLVM unrolls loops over them.
"""

import numpy as np

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import store_first
from darbench.ops.native.kernels import F, address, held, kernel
from darbench.ops.streams.rows import aligned, combine, dots, products, put
from darbench.ops.streams.weighing import (
    add_of_columns,
    inverse_rms,
    normalise,
    radial_of,
    repeat,
    through_norm,
    through_weights,
    turn,
    weigh,
)
from darbench.ops.streams.writing import write, write_backward, write_unmixed


@kernel
def forward(
    old,
    v,
    streams,
    rest,
    size,
    product,
    eps,
    squash,
    width,
    lines,
    slots,
    new,
    kept,
    weights,
    h,
    tokens,
    block,
    start,
    stop,
):
    """Fill in new (B T, S, D), weights (B T, K, S) and h (B T, D), and what the backward needs.

    That is kept (B T, P): the product (K, S), and the streams' inverse RMS (S,). old: weights to
    write v with; 0 where nothing is written, and new is given.
    """
    count, many, span = len(lines), len(slots), 4 * width
    flat, row = count * many, 4 * count
    length, whole = -(-(flat + count) // 16) * 64, count * span
    room = (2 + block) * length + (many + block * count) * span + 128
    scratch = np.zeros(room // 4, np.float32)
    at_rest = aligned(address(scratch))
    sizes, own, columns = at_rest + length, at_rest + 2 * length, at_rest + (2 + block) * length
    normed, last = columns + many * span, (many - 1) * row
    turn(rest, count, many, at_rest)
    repeat(size, many, count, sizes)
    turn(product, width, many, columns)
    for first in range(start * tokens, stop * tokens, block):
        n, at = min(block, stop * tokens - first), 4 * first * flat
        x, raw, given = new + first * whole, kept + first * length, streams + first * whole
        inverses, steps, v_r = raw + 4 * flat, (4 * flat, 4), v + first * span
        if old and many > 2:
            mix, mix_steps = old + at + row, (4 * flat, row, 4)
            write(mix, mix_steps, old + at + last, steps, given, v_r, count, span, x, n)
        elif old:
            write_unmixed(old + at + last, steps, given, v_r, count, span, x, n)
        inverse_rms(x, count, span, eps, inverses, length, n)
        normalise(x, inverses, length, count, span, normed, n)
        products(normed, count, whole, columns, many, 0, span, raw, row, length, n)
        weigh(raw, length, at_rest, sizes, squash, flat, own, weights + at, n)
        combine(own, length, 4, x, count, whole, span, h + first * span, span, n)
    held(scratch)


@kernel
def backward(
    old,
    v,
    streams,
    size,
    product,
    squash,
    width,
    lines,
    slots,
    kept,
    weights,
    dh,
    dweights,
    dold,
    dv,
    dstreams,
    sums,
    tokens,
    block,
    start,
    stop,
):
    """Set dold (B T, K, S) and dv (B T, D), replace the gradient of new by dstreams (B T, S, D).

    Set sums (B, ..): drest and dsize (K, S), each padded, and the gradient of the columns (K, D).
    With G_t the whole gradient of a token's X'_t: dX_s = sum_t A_r[s, t] G_t, dv = sum_t B[t] G_t.
    """
    count, many, span = len(lines), len(slots), 4 * width
    flat, row = count * many, 4 * count
    length, padded, whole = -(-(flat + count) // 16) * 64, -(-flat // 16) * 64, count * span
    room = (1 + 4 * block) * length + (many + 3 * block * count) * span + 256
    scratch = np.zeros(room // 4, np.float32)
    sizes = aligned(address(scratch))
    read = sizes + length
    p, along, radial = (
        read + block * length,
        read + 2 * block * length,
        read + 3 * block * length,
    )
    columns = radial + block * length + 64
    normed = columns + many * span
    mixing, mixed, last = old != 0 and many > 2, normed + block * whole, (many - 1) * row
    again = mixed + block * whole
    repeat(size, many, count, sizes)
    turn(product, width, many, columns)
    for b in range(start, stop):
        into = sums + b * (2 * padded + many * span)
        for e in range(into, into + 2 * padded + many * span, 64):
            vec.store(e, vec.filled(F(0), 16))
        for first in range(b * tokens, (b + 1) * tokens, block):
            n, at = min(block, (b + 1) * tokens - first), 4 * first * flat
            x, dx, g = streams + first * whole, dstreams + first * whole, dh + first * span
            raw, later, given = kept + first * length, dweights + at, x
            inverses, v_r, dv_r = raw + 4 * flat, v + first * span, dv + first * span
            steps, mix_steps = (4 * flat, 4), (4 * flat, row, 4)
            if old:
                x = again
                if mixing:
                    write(
                        old + at + row,
                        mix_steps,
                        old + at + last,
                        steps,
                        given,
                        v_r,
                        count,
                        span,
                        x,
                        n,
                    )
                else:
                    write_unmixed(old + at + last, steps, given, v_r, count, span, x, n)
            dots(g, span, x, count, whole, span, read, length, n)
            through_weights(
                later, read, raw, length, sizes, squash, flat, into, into + padded, p, along, n
            )
            radial_of(along, inverses, length, count, many, width, radial, n)
            normalise(x, inverses, length, count, span, normed, n)
            total = mixed if mixing else dx
            through_norm(
                weights + at,
                4 * flat,
                g,
                dx,
                p,
                columns,
                inverses,
                radial,
                length,
                normed,
                count,
                many,
                span,
                total,
                n,
            )
            add_of_columns(p, length, normed, count, many, span, into + 2 * padded, n)
            if old:
                u, du, step = old + at, dold + at, 4 * flat
                for r in range(n):
                    for s in range(0, count, 16):
                        store_first(du + r * step + 4 * s, count - s, vec.filled(F(0), 16))
                dots(v_r, span, total, count, whole, span, du + last, step, n)
                combine(u + last, step, 4, total, count, whole, span, dv_r, span, n)
                if mixing:
                    write_backward(
                        u + row, mix_steps, given, total, count, span, du + row, row, step, dx, n
                    )
    held(scratch)


@kernel
def summed(sums, batch, width, count, many, drest, dsize, dproduct, start, stop):
    """Set drest (S, K), dsize (K,) and dproduct (D, K) to the sums over the batch."""
    whole = -(-count * many // 16) * 16
    numbers = 2 * whole + many * width
    total = np.zeros(numbers, np.float32)
    for b in range(batch):
        for e in range(0, 4 * numbers, 64):
            at = address(total) + e
            vec.store(at, vec.add(vec.load(at, 16), vec.load(sums + 4 * b * numbers + e, 16)))
    turn(address(total), many, count, drest)
    turn(address(total[2 * whole :]), many, width, dproduct)
    for k in range(many):
        s = F(0)
        for e in range(k * count, (k + 1) * count):
            s += total[whole + e]
        put(dsize + 4 * k, s)
    held(total)
