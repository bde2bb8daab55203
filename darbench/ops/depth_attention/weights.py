"""The weights of a read and their slopes, for up to 16 tokens side by side.

Token by token, waiting for its exponentials would be half of a narrow read. (J, 16) numbers are
a vector for each source; numbers behind those of the n tokens mean nothing. `at` says where the
tokens' numbers lie in each inverse RMS, in bytes; kept (2, J, block) has weights and q . v_j.
"""

from darbench.ops.native import vectors as vec
from darbench.ops.native.access import load_first, store_first
from darbench.ops.native.curves import softmax
from darbench.ops.native.kernels import F, part
from darbench.ops.native.products import LANES


@part
def weigh(products, inverses, at, n, scale, weights, kept, block):
    """Fill in weights (J, 16), and keep them and the products q . v_j, also (J, 16)."""
    count = inverses.size
    for j in range(count):
        inverse = vec.multiply(load_first(inverses[j] + at, n, 16), vec.filled(scale, 16))
        vec.store(weights + 64 * j, vec.multiply(vec.load(products + 64 * j, 16), inverse))
    softmax(weights, LANES, count, F(1))
    for j in range(count):
        store_first(kept + 4 * j * block, n, vec.load(weights + 64 * j, 16))
        store_first(kept + 4 * (count + j) * block, n, vec.load(products + 64 * j, 16))


@part
def slopes(kept, block, inverses, at, n, scale, width, slope, radial):
    """Replace slope, dh . v_j, by the factor of q in dv_j, and add to radial that of -v_j."""
    count, mean = inverses.size, vec.filled(F(0), 16)
    for j in range(count):
        alpha = load_first(kept + 4 * j * block, n, 16)
        mean = vec.fma(alpha, vec.load(slope + 64 * j, 16), mean)
    for j in range(count):
        alpha = load_first(kept + 4 * j * block, n, 16)
        product = load_first(kept + 4 * (count + j) * block, n, 16)
        inverse = load_first(inverses[j] + at, n, 16)
        own = vec.multiply(alpha, vec.subtract(vec.load(slope + 64 * j, 16), mean))
        own = vec.multiply(vec.multiply(own, vec.filled(scale, 16)), inverse)
        vec.store(slope + 64 * j, own)
        along = vec.multiply(vec.multiply(own, product), vec.multiply(inverse, inverse))
        along = vec.fma(along, vec.filled(F(1) / F(width), 16), vec.load(radial + 64 * j, 16))
        vec.store(radial + 64 * j, along)
