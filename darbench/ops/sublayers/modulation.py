"""Modulated norm and gate on the CPU in float32, a token's row at a time.

Parts go over the rows first .. last of h (B T, D); modulations are (B, D), and the rows of those
that are given lie `next` numbers apart.
"""

import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import store_first
from darbench.ops.native.kernels import F, kernel, over_batch, part, section
from darbench.ops.sublayers.definition import EPS


@section
def statistics(h, means, inverses, width, first, last):
    """Fill in the mean of each row and its inverse deviation, both (B T,).

    Four rows go together: their sums over lanes are made at once.
    """
    whole = last - (last - first) % 4
    for r in range(first, whole, 4):
        _statistics(h + 4 * r * width, 4 * width, means + 4 * r, inverses + 4 * r, width, 4)
    for r in range(whole, last):
        _statistics(h + 4 * r * width, 0, means + 4 * r, inverses + 4 * r, width, 1)


@part
def _statistics(x, step, means, inverses, width, count):
    """The first `count` of four rows that lie `step` bytes apart, which may be one row."""
    share = vec.filled(F(1) / F(width), 4)
    a = b = c = e = vec.filled(F(0), 16)
    for d in range(x, x + 4 * width, 64):
        a, b = vec.add(a, vec.load(d, 16)), vec.add(b, vec.load(d + step, 16))
        c, e = vec.add(c, vec.load(d + 2 * step, 16)), vec.add(e, vec.load(d + 3 * step, 16))
    store_first(means, count, vec.multiply(vec.totals((a, b, c, e)), share))
    one = 4 if count == 4 else 0
    m, n = vec.filled_from(means, 16), vec.filled_from(means + one, 16)
    o, p = vec.filled_from(means + 2 * one, 16), vec.filled_from(means + 3 * one, 16)
    a = b = c = e = vec.filled(F(0), 16)
    for d in range(x, x + 4 * width, 64):
        a = _add_square(a, vec.subtract(vec.load(d, 16), m))
        b = _add_square(b, vec.subtract(vec.load(d + step, 16), n))
        c = _add_square(c, vec.subtract(vec.load(d + 2 * step, 16), o))
        e = _add_square(e, vec.subtract(vec.load(d + 3 * step, 16), p))
    variance = vec.fma(vec.totals((a, b, c, e)), share, vec.filled(F(EPS), 4))
    store_first(inverses, count, vec.divide(vec.filled(F(1), 4), vec.root(variance)))


@part
def _add_square(total, x):
    return vec.fma(x, x, total)


@section
def modulated(
    h, means, inverses, shift, next_shift, scale, next_scale, out, tokens, width, first, last
):
    """Fill in out (B T, D)."""
    one = vec.filled(F(1), 16)
    for r in range(first, last):
        b, at = r // tokens, 4 * r * width
        add, factor = shift + 4 * b * next_shift, scale + 4 * b * next_scale
        m, n = vec.filled_from(means + 4 * r, 16), vec.filled_from(inverses + 4 * r, 16)
        for d in range(0, 4 * width, 64):
            normed = vec.multiply(vec.subtract(vec.load(h + at + d, 16), m), n)
            g = vec.add(vec.load(factor + d, 16), one)
            vec.store(out + at + d, vec.fma(normed, g, vec.load(add + d, 16)))


@section
def modulated_backward(
    h, means, inverses, scale, next_scale, dout, dh, dshift, dscale, tokens, width, first, last
):
    """Fill in dh (B T, D), dshift and dscale (B, D).

    With n = LN(h) and g = (1 + scale) dout: dscale = sum_t n dout, dshift = sum_t dout,
    dh = (g - mean(g) - n mean(g n)) / deviation.
    """
    one, share = vec.filled(F(1), 16), F(1) / F(width)
    for r in range(first, last):
        b, at = r // tokens, 4 * r * width
        m, n = vec.filled_from(means + 4 * r, 16), vec.filled_from(inverses + 4 * r, 16)
        fresh, own = r % tokens == 0, 4 * b * width
        level = along = vec.filled(F(0), 16)
        for d in range(0, 4 * width, 64):
            normed = vec.multiply(vec.subtract(vec.load(h + at + d, 16), m), n)
            given = vec.load(dout + at + d, 16)
            a = c = vec.filled(F(0), 16)
            if not fresh:
                a, c = vec.load(dshift + own + d, 16), vec.load(dscale + own + d, 16)
            vec.store(dshift + own + d, vec.add(a, given))
            vec.store(dscale + own + d, vec.fma(normed, given, c))
            g = vec.multiply(given, vec.add(vec.load(scale + 4 * b * next_scale + d, 16), one))
            level, along = vec.add(level, g), vec.fma(g, normed, along)
            vec.store(dh + at + d, g)
        mean = vec.filled(vec.total(level) * share, 16)
        slope = vec.filled(vec.total(along) * share, 16)
        for d in range(0, 4 * width, 64):
            normed = vec.multiply(vec.subtract(vec.load(h + at + d, 16), m), n)
            g = vec.subtract(vec.load(dh + at + d, 16), mean)
            g = vec.subtract(g, vec.multiply(normed, slope))
            vec.store(dh + at + d, vec.multiply(g, n))


@section
def gated(x, gate, next_gate, out, tokens, width, first, last):
    """Set out (B T, D) to gate * x."""
    for r in range(first, last):
        at, g = 4 * r * width, gate + 4 * (r // tokens) * next_gate
        for d in range(0, 4 * width, 64):
            vec.store(out + at + d, vec.multiply(vec.load(x + at + d, 16), vec.load(g + d, 16)))


@section
def gated_backward(x, gate, next_gate, dout, dx, dgate, tokens, width, first, last):
    """Fill in dx (B T, D) and dgate (B, D)."""
    for r in range(first, last):
        b, at = r // tokens, 4 * r * width
        fresh, own = r % tokens == 0, 4 * b * width
        for d in range(0, 4 * width, 64):
            given = vec.load(dout + at + d, 16)
            a = vec.filled(F(0), 16)
            if not fresh:
                a = vec.load(dgate + own + d, 16)
            vec.store(dgate + own + d, vec.fma(given, vec.load(x + at + d, 16), a))
            vec.store(dx + at + d, vec.multiply(given, vec.load(gate + 4 * b * next_gate + d, 16)))


# The same as functions of tensors


@kernel
def _modulate(
    h, means, inverses, shift, next_shift, scale, next_scale, out, tokens, width, start, stop
):
    first, last = start * tokens, stop * tokens
    statistics(h, means, inverses, width, first, last)
    modulated(
        h, means, inverses, shift, next_shift, scale, next_scale, out, tokens, width, first, last
    )


@kernel
def _modulate_backward(
    h, means, inverses, scale, next_scale, dout, dh, dshift, dscale, tokens, width, start, stop
):
    first, last = start * tokens, stop * tokens
    modulated_backward(
        h, means, inverses, scale, next_scale, dout, dh, dshift, dscale, tokens, width, first, last
    )


@kernel
def _gate(x, gate, next_gate, out, tokens, width, start, stop):
    gated(x, gate, next_gate, out, tokens, width, start * tokens, stop * tokens)


@kernel
def _gate_backward(x, gate, next_gate, dout, dx, dgate, tokens, width, sums, start, stop):
    """Also add the rows of dx to sums."""
    (total,) = sums
    for r in range(start * tokens, stop * tokens):
        gated_backward(x, gate, next_gate, dout, dx, dgate, tokens, width, r, r + 1)
        for d in range(0, 4 * width, 64):
            own = vec.load(dx + 4 * r * width + d, 16)
            vec.store(total + d, vec.add(vec.load(total + d, 16), own))


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return LN(h) * (1 + scale) + shift, and the means and inverse deviations of h (B, T)."""
    batch, tokens, width = h.shape
    out, means, inverses = torch.empty_like(h), *h.new_empty(2, batch, tokens)
    given = (h, means, inverses, shift, shift.stride(0), scale, scale.stride(0), out)
    over_batch(_modulate, (*given, tokens, width), batch, 4 * h.numel())
    return out, means, inverses


def modulate_backward(
    h: Tensor, scale: Tensor, means: Tensor, inverses: Tensor, dout: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of h, shift and scale."""
    batch, tokens, width = h.shape
    dh, dshift, dscale = torch.empty_like(h), h.new_empty(scale.shape), h.new_empty(scale.shape)
    given = (h, means, inverses, scale, scale.stride(0), dout, dh, dshift, dscale)
    over_batch(_modulate_backward, (*given, tokens, width), batch, 8 * h.numel())
    return dh, dshift, dscale


def gate(x: Tensor, factor: Tensor) -> Tensor:
    """Return factor * x."""
    batch, tokens, width = x.shape
    out = torch.empty_like(x)
    over_batch(_gate, (x, factor, factor.stride(0), out, tokens, width), batch, x.numel())
    return out


def gate_backward(x: Tensor, factor: Tensor, dout: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x and of the factor, and the sum of the first one's rows."""
    batch, tokens, width = x.shape
    dx, dfactor, total = torch.empty_like(x), x.new_empty(factor.shape), x.new_zeros(width)
    given = (x, factor, factor.stride(0), dout, dx, dfactor, tokens, width)
    over_batch(_gate_backward, given, batch, 2 * x.numel(), sums=[total])
    return dx, dfactor, total
