"""Curves of vectors of 16 numbers, to float32's rounding."""

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import F, part


@part
def size_of(x):
    return vec.maximum(x, vec.multiply(x, vec.filled(F(-1), 16)))


@part
def sigmoid(x):
    zero, one = vec.filled(F(0), 16), vec.filled(F(1), 16)
    e = vec.exp(vec.multiply(size_of(x), vec.filled(F(-1), 16)))
    share = vec.divide(one, vec.add(one, e))
    return vec.where_less(x, zero, vec.multiply(e, share), share)


@part
def tanh(x):
    """Near 0 it is a polynomial (Cephes' tanhf)."""
    zero, one, size = vec.filled(F(0), 16), vec.filled(F(1), 16), size_of(x)
    z = vec.multiply(x, x)
    p = vec.fma(vec.filled(F(-5.70498872745e-3), 16), z, vec.filled(F(2.06390887954e-2), 16))
    p = vec.fma(p, z, vec.filled(F(-5.37397155531e-2), 16))
    p = vec.fma(p, z, vec.filled(F(1.33314422036e-1), 16))
    p = vec.fma(p, z, vec.filled(F(-3.33332819422e-1), 16))
    near = vec.fma(vec.multiply(x, z), p, x)
    e = vec.exp(vec.multiply(size, vec.filled(F(-2), 16)))
    far = vec.divide(vec.subtract(one, e), vec.add(one, e))
    far = vec.where_less(x, zero, vec.subtract(zero, far), far)
    return vec.where_less(size, vec.filled(F(0.625), 16), near, far)


@part
def softmax(p, step, count, factor):
    """Replace p (count, 16), rows of which are `step` numbers apart, by softmax(factor p) over the
    rows."""
    top = vec.load(p, 16)
    for j in range(4 * step, 4 * count * step, 4 * step):
        top = vec.maximum(vec.load(p + j, 16), top)
    scale, whole = vec.filled(factor, 16), vec.filled(F(0), 16)
    for j in range(0, 4 * count * step, 4 * step):
        e = vec.exp(vec.multiply(vec.subtract(vec.load(p + j, 16), top), scale))
        vec.store(p + j, e)
        whole = vec.add(whole, e)
    share = vec.divide(vec.filled(F(1), 16), whole)
    for j in range(0, 4 * count * step, 4 * step):
        vec.store(p + j, vec.multiply(vec.load(p + j, 16), share))
