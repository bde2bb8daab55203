"""Self-attention among few tokens on the CPU in float32, one head of one sample at a time.

All of it is in the cache. A row of scores is a few vectors over the keys, for which keys are turned
once per head, (features, tokens), and padded to whole vectors with keys that nobody attends to.
"""

import math

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import F, kernel, over_batch, part, row

_torch_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_torch_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
KEYS = 16  # of one vector
FEATURES = 8  # of one vector
FEW = 64  # tokens, among which a head's scores fit into a core's cache
NARROW = 32  # features of a head; torch's own is better at longer products


def takes(tokens: int, features: int) -> bool:
    """Whether the kernels can take heads of that size, and are faster than torch's."""
    return tokens <= FEW and features <= NARROW and features % FEATURES == 0


@part
def _turned(x, stride, tokens, features, factor, out):
    """Set out (features, padded) to factor x^T of x (tokens, features), whose rows are apart."""
    padded = out.size // features
    for j in range(tokens):
        xj = row(x, j * stride, features)
        for d in range(features):
            out[d * padded + j] = factor * xj[d]


@part
def _products(x, turned, bias, features, padded, out):
    """Set out (padded,) to bias + x turned, for a row x of features."""
    for j in range(0, padded, KEYS):
        s = vec.load(bias + 4 * j, 16)
        for d in range(features):
            s = vec.fma(
                vec.filled_from(x + 4 * d, 16), vec.load(turned + 4 * (d * padded + j), 16), s
            )
        vec.store(out + 4 * j, s)


@part
def _softmax(p, padded):
    """Replace p (padded,) by its softmax."""
    top = vec.load(p, 16)
    for j in range(KEYS, padded, KEYS):
        top = vec.maximum(vec.load(p + 4 * j, 16), top)
    top = vec.filled(vec.largest(top), 16)
    whole = vec.filled(F(0), 16)
    for j in range(0, padded, KEYS):
        e = vec.exp(vec.subtract(vec.load(p + 4 * j, 16), top))
        vec.store(p + 4 * j, e)
        whole = vec.add(whole, e)
    share = vec.filled(F(1) / vec.total(whole), 16)
    for j in range(0, padded, KEYS):
        vec.store(p + 4 * j, vec.multiply(vec.load(p + 4 * j, 16), share))


@part
def _combination(weights, step, x, stride, tokens, features, out):
    """Set out (features,) to sum_j weights_j x_j; weights are `step` numbers apart."""
    for d in range(0, features, FEATURES):
        even = odd = vec.filled(F(0), 8)
        for j in range(0, tokens - 1, 2):
            w, at = weights + 4 * j * step, x + 4 * (j * stride + d)
            even = vec.fma(vec.filled_from(w, 8), vec.load(at, 8), even)
            odd = vec.fma(vec.filled_from(w + 4 * step, 8), vec.load(at + 4 * stride, 8), odd)
        if tokens % 2:
            last = tokens - 1
            w = vec.filled_from(weights + 4 * last * step, 8)
            even = vec.fma(w, vec.load(x + 4 * (last * stride + d), 8), even)
        vec.store(out + 4 * d, vec.add(even, odd))


@kernel
def _forward(qkv, out, probabilities, mask, factor, tokens, heads, features, start, stop):
    """Fill in out (B, T, D), and probabilities (B, heads, T, padded) where an address is given."""
    width, padded = heads * features, mask.size
    stride = 3 * width
    keys, scores = np.zeros(features * padded, np.float32), np.empty(padded, np.float32)
    turned, hidden, p = keys.ctypes.data, mask.ctypes.data, scores.ctypes.data
    for n in range(start * heads, stop * heads):
        b, h = n // heads, n % heads
        q = qkv + 4 * (b * tokens * stride + h * features)
        _turned(q + 4 * width, stride, tokens, features, factor, keys)
        for i in range(tokens):
            if probabilities:
                p = probabilities + 4 * padded * (n * tokens + i)
            o = out + 4 * ((b * tokens + i) * width + h * features)
            _products(q + 4 * i * stride, turned, hidden, features, padded, p)
            _softmax(p, padded)
            _combination(p, 1, q + 8 * width, stride, tokens, features, o)


@part
def _through_softmax(p, s, factor, padded):
    """Replace s, the gradient of p, by factor times that of the scores."""
    along = vec.filled(F(0), 16)
    for j in range(0, padded, KEYS):
        along = vec.fma(vec.load(p + 4 * j, 16), vec.load(s + 4 * j, 16), along)
    mean = vec.filled(vec.total(along), 16)
    for j in range(0, padded, KEYS):
        own = vec.subtract(vec.load(s + 4 * j, 16), mean)
        weight = vec.multiply(vec.load(p + 4 * j, 16), vec.filled(factor, 16))
        vec.store(s + 4 * j, vec.multiply(weight, own))


@kernel
def _backward(qkv, probabilities, dout, dqkv, none, factor, tokens, heads, features, start, stop):
    """Fill in dqkv (B, T, 3 D).

    With S the scores and P their softmax: dP = dO V^T, dS = P (dP - sum_j P dP), dV = P^T dO,
    dQ = factor dS K, dK = factor dS^T Q. none: (padded,) zeros.
    """
    width, padded = heads * features, none.size
    stride = 3 * width
    values = np.zeros(features * padded, np.float32)
    scores = np.empty(tokens * padded, np.float32)
    turned, zeros, ds = values.ctypes.data, none.ctypes.data, scores.ctypes.data
    for n in range(start * heads, stop * heads):
        b, h = n // heads, n % heads
        at = 4 * (b * tokens * stride + h * features)
        q, dq = qkv + at, dqkv + at
        do = dout + 4 * (b * tokens * width + h * features)
        ps = probabilities + 4 * padded * n * tokens
        _turned(q + 8 * width, stride, tokens, features, F(1), values)
        for i in range(tokens):
            p, s = ps + 4 * i * padded, ds + 4 * i * padded
            _products(do + 4 * i * width, turned, zeros, features, padded, s)
            _through_softmax(p, s, factor, padded)
            _combination(s, 1, q + 4 * width, stride, tokens, features, dq + 4 * i * stride)
        for j in range(tokens):
            dk = dq + 4 * (j * stride + width)
            _combination(ds + 4 * j, padded, q, stride, tokens, features, dk)
            _combination(ps + 4 * j, padded, do, width, tokens, features, dk + 4 * width)


def attend(qkv: Tensor, heads: int, kept: bool) -> tuple[Tensor, ...]:
    """Return attention (B, T, D) of qkv (B, T, 3 D) and, if kept, what its backward wants."""
    batch, tokens, width = qkv.shape
    features = width // 3 // heads
    if not takes(tokens, features):
        out, logs = _torch_forward(*_split(qkv, heads))
        return out.transpose(1, 2).flatten(2), logs
    padded = -(-tokens // KEYS) * KEYS
    mask = np.where(np.arange(padded) < tokens, F(0), F(-np.inf))
    out = qkv.new_empty(batch, tokens, width // 3)
    made = [qkv.new_empty(batch, heads, tokens, padded)] if kept else []
    given = (qkv, out, made[0] if kept else 0, mask, _factor(features))
    work = 2 * batch * tokens * padded * width // 3
    over_batch(_forward, (*given, tokens, heads, features), batch, work)
    return out, *made


def attend_backward(qkv: Tensor, heads: int, dout: Tensor, out: Tensor, kept: Tensor) -> Tensor:
    """Return the gradient of qkv (B, T, 3 D); out and kept are what `attend` returned."""
    batch, tokens, width = qkv.shape
    features = width // 3 // heads
    dqkv = torch.empty_like(qkv)
    if not takes(tokens, features):
        turned = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (dout, out))
        (dout, out), parts = turned, _split(qkv, heads)
        made = _torch_backward(dout, *parts, out, kept, 0.0, False)
        for into, gradient in zip(_split(dqkv, heads), made, strict=True):
            into.copy_(gradient)
        return dqkv
    padded = kept.shape[-1]
    given = (qkv, kept, dout, dqkv, np.zeros(padded, F), _factor(features))
    work = 5 * batch * tokens * padded * heads * features
    over_batch(_backward, (*given, tokens, heads, features), batch, work)
    return dqkv


def _split(qkv: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Queries, keys and values (B, heads, T, D / heads) within (B, T, 3 D)."""
    return qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind()


def _factor(features: int) -> np.float32:
    return F(1 / math.sqrt(features))
