"""Self-attention among few tokens within kernels, one sample at a time, all of it in the cache.

Sixteen queries of a head go side by side, one in each lane of a vector: then the softmax over the
keys is one over vectors, of which none waits for the one before. For that, queries are turned,
(D, T), and padded to whole vectors with queries that nobody asked. The other factor of a product
is read number by number, so it may lie either way.

q: the first number of a sample's qkv (T, 3 D), D being heads x features; p (heads, T, padded): the
probabilities, key by key; zeros: 16 numbers.
"""

from darbench.ops.native import vectors as vec
from darbench.ops.native.curves import softmax
from darbench.ops.native.kernels import F, part, section
from darbench.ops.native.products import LANES, panel, turned, turned_back


@section
def attend(q, p, out, scratch, zeros, factor, tokens, heads, features):
    """Fill in p and out (T, D). scratch: 2 D padded numbers."""
    width, padded = heads * features, -(-tokens // LANES) * LANES
    step = 3 * width
    queries, outs = scratch, scratch + 4 * width * padded
    turned(q, step, tokens, width, queries, padded)
    for h in range(heads):
        k, v = q + 4 * (width + h * features), q + 4 * (2 * width + h * features)
        for i in range(0, 4 * padded, 4 * LANES):
            pi, at = p + 4 * h * tokens * padded + i, 4 * h * features * padded + i
            of, to = queries + at, outs + at
            panel(k, step, 1, of, padded, tokens, features, zeros, 0, pi, padded)
            softmax(pi, padded, tokens, factor)
            panel(v, 1, step, pi, padded, features, tokens, zeros, 0, to, padded)
    turned_back(outs, padded, tokens, width, out, width)


@section
def attend_backward(q, p, dout, dq, scratch, zeros, factor, tokens, heads, features):
    """Fill in dq, the gradient of the sample's qkv, from dout (T, D).

    With S the scores and P their softmax: dP = dO V^T, dS = P (dP - sum_j P dP), dV = P^T dO,
    dQ = factor dS K, dK = factor dS^T Q. scratch: (4 D + 2 padded) padded numbers.
    """
    width, padded = heads * features, -(-tokens // LANES) * LANES
    step, block = 3 * width, 4 * width * padded
    douts, dqs, dks, dvs = scratch, scratch + block, scratch + 2 * block, scratch + 3 * block
    ds, back = scratch + 4 * block, scratch + 4 * block + 4 * padded * padded
    turned(dout, width, tokens, width, douts, padded)
    for h in range(heads):
        first, at, ph = 4 * h * features, 4 * h * features * padded, p + 4 * h * tokens * padded
        k, v = q + 4 * width + first, q + 8 * width + first
        for i in range(0, 4 * padded, 4 * LANES):
            of, si, to = douts + at + i, ds + i, dqs + at + i
            panel(v, step, 1, of, padded, tokens, features, zeros, 0, si, padded)
            _through_softmax(ph + i, si, padded, tokens, factor)
            panel(k, 1, step, si, padded, features, tokens, zeros, 0, to, padded)
        turned(ph, padded, tokens, padded, back, padded)
        _of_keys(dout + first, width, back, dvs + at, zeros, tokens, features)
        turned(ds, padded, tokens, padded, back, padded)
        _of_keys(q + first, step, back, dks + at, zeros, tokens, features)
    turned_back(dqs, padded, tokens, width, dq, step)
    turned_back(dks, padded, tokens, width, dq + 4 * width, step)
    turned_back(dvs, padded, tokens, width, dq + 8 * width, step)


@part
def _through_softmax(p, s, step, tokens, factor):
    """Replace s (tokens, 16), the gradient of p, by factor times that of the scores."""
    mean = vec.filled(F(0), 16)
    for j in range(0, 4 * tokens * step, 4 * step):
        mean = vec.fma(vec.load(p + j, 16), vec.load(s + j, 16), mean)
    scale = vec.filled(factor, 16)
    for j in range(0, 4 * tokens * step, 4 * step):
        weight = vec.multiply(vec.load(p + j, 16), scale)
        vec.store(s + j, vec.multiply(weight, vec.subtract(vec.load(s + j, 16), mean)))


@part
def _of_keys(x, step, weights, out, zeros, tokens, features):
    """Set out (features, padded) to x^T weights, for x (T, features) and weights (T, padded)."""
    padded = -(-tokens // LANES) * LANES
    for j in range(0, 4 * padded, 4 * LANES):
        of, to = weights + j, out + j
        panel(x, 1, step, of, padded, features, tokens, zeros, 0, to, padded)
