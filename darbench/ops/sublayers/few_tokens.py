"""Self-attention among few tokens on the CPU in float32, one head of one sample at a time.

All of it is in the cache. Sixteen queries go side by side, one in each lane of a vector: then the
softmax over the keys is one over vectors, of which none waits for the one before. For that,
queries are turned once per sample, (D, T), and padded to whole vectors with queries that nobody
asked.
"""

import math

import numpy as np
import torch
from torch import Tensor

from darbench.ops.native import vectors as vec
from darbench.ops.native.kernels import F, kernel, over_batch, part
from darbench.ops.native.products import LANES, panel, turned, turned_back

_torch_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_torch_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
FEW = 64  # tokens, among which a head's scores fit into a core's cache
NARROW = 32  # features of a head; torch's own is better at longer products


def takes(tokens: int, features: int) -> bool:
    """Whether the kernels are faster than torch's."""
    return tokens <= FEW and features <= NARROW


@part
def _softmax(p, step, tokens, factor):
    """Replace p (tokens, 16) by its softmax over the tokens, of factor p."""
    top = vec.load(p, 16)
    for j in range(1, tokens):
        top = vec.maximum(vec.load(p + 4 * j * step, 16), top)
    scale = vec.filled(factor, 16)
    whole = vec.filled(F(0), 16)
    for j in range(tokens):
        below = vec.subtract(vec.load(p + 4 * j * step, 16), top)
        e = vec.exp(vec.multiply(below, scale))
        vec.store(p + 4 * j * step, e)
        whole = vec.add(whole, e)
    share = vec.divide(vec.filled(F(1), 16), whole)
    for j in range(tokens):
        vec.store(p + 4 * j * step, vec.multiply(vec.load(p + 4 * j * step, 16), share))


@kernel
def _forward(qkv, out, probabilities, factor, tokens, heads, features, start, stop):
    """Fill in out (B, T, D), and probabilities (B, heads, T, padded) where an address is given.

    The first T of them are the keys.
    """
    width, padded = heads * features, -(-tokens // LANES) * LANES
    stride = 3 * width
    made = np.empty(2 * width * padded + tokens * padded, np.float32)
    none = np.zeros(LANES, np.float32)
    queries, p, zero = made.ctypes.data, made.ctypes.data, none.ctypes.data
    outs = queries + 4 * width * padded
    for b in range(start, stop):
        q = qkv + 4 * b * tokens * stride
        turned(q, stride, tokens, width, queries, padded)
        for h in range(heads):
            p = outs + 4 * width * padded
            if probabilities:
                p = probabilities + 4 * (b * heads + h) * tokens * padded
            at = h * features
            k, v = q + 4 * (width + at), q + 4 * (2 * width + at)
            for i in range(0, 4 * padded, 4 * LANES):
                qi, oi = queries + 4 * at * padded + i, outs + 4 * at * padded + i
                panel(k, stride, 1, qi, padded, tokens, features, zero, 0, p + i, padded)
                _softmax(p + i, padded, tokens, factor)
                panel(v, 1, stride, p + i, padded, features, tokens, zero, 0, oi, padded)
        turned_back(outs, padded, tokens, width, out + 4 * b * tokens * width, width)


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


@kernel
def _backward(qkv, probabilities, dout, dqkv, factor, tokens, heads, features, start, stop):
    """Fill in dqkv (B, T, 3 D).

    With S the scores and P their softmax: dP = dO V^T, dS = P (dP - sum_j P dP), dV = P^T dO,
    dQ = factor dS K, dK = factor dS^T Q.
    """
    width, padded = heads * features, -(-tokens // LANES) * LANES
    stride, square = 3 * width, padded * padded
    made = np.zeros(4 * width * padded + 2 * square, np.float32)
    none = np.zeros(LANES, np.float32)
    dos, zero = made.ctypes.data, none.ctypes.data
    dqs = dos + 4 * width * padded
    dks, dvs = dqs + 4 * width * padded, dqs + 8 * width * padded
    ds = dvs + 4 * width * padded
    back = ds + 4 * square
    for b in range(start, stop):
        q, do = qkv + 4 * b * tokens * stride, dout + 4 * b * tokens * width
        turned(do, width, tokens, width, dos, padded)
        for h in range(heads):
            at, own = 4 * h * features, 4 * h * features * padded
            k, v = q + 4 * width + at, q + 8 * width + at
            p = probabilities + 4 * (b * heads + h) * tokens * padded
            for i in range(0, 4 * padded, 4 * LANES):
                panel(
                    v, stride, 1, dos + own + i, padded, tokens, features, zero, 0, ds + i, padded
                )
                _through_softmax(p + i, ds + i, padded, tokens, factor)
                panel(
                    k, 1, stride, ds + i, padded, features, tokens, zero, 0, dqs + own + i, padded
                )
            turned(p, padded, tokens, padded, back, padded)
            for j in range(0, 4 * padded, 4 * LANES):
                panel(
                    do + at,
                    1,
                    width,
                    back + j,
                    padded,
                    features,
                    tokens,
                    zero,
                    0,
                    dvs + own + j,
                    padded,
                )
            turned(ds, padded, tokens, padded, back, padded)
            for j in range(0, 4 * padded, 4 * LANES):
                panel(
                    q + at,
                    1,
                    stride,
                    back + j,
                    padded,
                    features,
                    tokens,
                    zero,
                    0,
                    dks + own + j,
                    padded,
                )
        dq = dqkv + 4 * b * tokens * stride
        turned_back(dqs, padded, tokens, width, dq, stride)
        turned_back(dks, padded, tokens, width, dq + 4 * width, stride)
        turned_back(dvs, padded, tokens, width, dq + 8 * width, stride)


def attend(qkv: Tensor, heads: int, kept: bool) -> tuple[Tensor, ...]:
    """Return attention (B, T, D) of qkv (B, T, 3 D) and, if kept, what its backward wants."""
    batch, tokens, width = qkv.shape
    features = width // 3 // heads
    if not takes(tokens, features):
        out, logs = _torch_forward(*_split(qkv, heads))
        return out.transpose(1, 2).flatten(2), logs
    padded = -(-tokens // LANES) * LANES
    out = qkv.new_empty(batch, tokens, width // 3)
    made = [qkv.new_empty(batch, heads, tokens, padded)] if kept else []
    given = (qkv, out, made[0] if kept else 0, _factor(features))
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
    given = (qkv, kept, dout, dqkv, _factor(features))
    work = 5 * batch * tokens * kept.shape[-1] * heads * features
    over_batch(_backward, (*given, tokens, heads, features), batch, work)
    return dqkv


def _split(qkv: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Queries, keys and values (B, heads, T, D / heads) within (B, T, 3 D)."""
    return qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4).unbind()


def _factor(features: int) -> np.float32:
    return F(1 / math.sqrt(features))
