"""How streams are written, and back: parts of the kernels that write.

mix_{t,s} lies t `across` + s `down` bytes from a token's mix, and the next token's `next` bytes
further, for which steps are (next, across, down); of weights_t steps are (next, across).
"""

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import part
from darbench.ops.streams.rows import next_rows, plus_combined, products, store_rows, zeros


@part
def write(mix, mix_steps, weights, steps, x, v, count, span, new, tokens):
    """Set X'_t to sum_s mix_{t,s} X_s + weights_t v."""
    (m_next, across, down), (w_next, step) = mix_steps, steps
    for t in range(0, count, 4):
        of_mix, of_weights = next_rows(t, count, across), next_rows(t, count, step)
        into = next_rows(t, count, span)
        for r in range(tokens):
            m, w, vr, at = mix + r * m_next, weights + r * w_next, v + r * span, r * count * span
            for d in range(0, span, 64):
                sums = plus_combined(zeros(), w, of_weights, 0, vr + d, 1, span)
                sums = plus_combined(sums, m, of_mix, down, x + at + d, count, span)
                store_rows(sums, new + at + d, into)


@part
def write_unmixed(weights, steps, x, v, count, span, new, tokens):
    """Set X'_t to X_t + weights_t v."""
    for r in range(tokens):
        for t in range(count):
            w = vec.filled_from(weights + r * steps[0] + t * steps[1], 16)
            at = (r * count + t) * span
            for d in range(0, span, 64):
                xd = vec.load(x + at + d, 16)
                vec.store(new + at + d, vec.fma(w, vec.load(v + r * span + d, 16), xd))


@part
def write_backward(mix, mix_steps, x, g, count, span, dmix, dstep, dnext, dx, tokens):
    """Set dmix and dx from g, the gradient of X'; dmix_{t,s} lies t `dstep` + 4 s bytes on."""
    whole, (m_next, across, down) = count * span, mix_steps
    products(x, count, whole, g, count, whole, span, dmix, dstep, dnext, tokens)
    for s in range(0, count, 4):
        of_mix, into = next_rows(s, count, down), next_rows(s, count, span)
        for r in range(tokens):
            m, at = mix + r * m_next, r * whole
            for d in range(0, span, 64):
                sums = plus_combined(zeros(), m, of_mix, across, g + at + d, count, span)
                store_rows(sums, dx + at + d, into)
