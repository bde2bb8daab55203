"""A hyper-connection on the CPU in float32: write, weigh and read in one pass over the tokens.

Between two sublayers a token's streams stay in the cache, and autograd sees one function instead
of nine. Weights are [A_m | A_r | B] of every stream, K columns; without A_r, two. The backward
writes the streams again instead of reading what was written: that is in no cache any more.
"""

from typing import Any

import torch
from torch import Tensor

from darbench.ops.native.autograd import NativeFunction, first_order
from darbench.ops.native.kernels import F, over_batch
from darbench.ops.streams.connection_kernels import backward, forward, summed
from darbench.ops.streams.rows import LANES, block_of
from darbench.ops.streams.trail import owned


class Connection(NativeFunction):
    """Returns h, the streams for the next reader, weights, and where v is written the streams.

    They are what `darbench.ops.streams.hyper_connection` returns.
    """

    @staticmethod
    def forward(
        ctx: Any,
        streams: Tensor,
        rest: Tensor,
        size: Tensor,
        product: Tensor,
        eps: float,
        squash: bool,
        old: Tensor | None = None,
        v: Tensor | None = None,
    ):
        batch, tokens, count, width = streams.shape
        many = product.shape[-1]
        if old is not None:
            old, v = old.mT.contiguous(), v.contiguous()
        new = streams if old is None else torch.empty_like(streams)
        h, weights = new.new_empty(batch, tokens, width), new.new_empty(batch, tokens, many, count)
        kept = new.new_empty(batch, tokens, _padded(count * many + count))
        given = *_written(old, v), streams, rest, size, product, F(eps), squash
        work = (2 * count + many) * streams.numel()
        arguments = (
            *given,
            width,
            (0,) * count,
            (0,) * many,
            new,
            kept,
            weights,
            h,
            tokens,
            block_of(streams),
        )
        over_batch(forward, arguments, batch, work)
        ctx.save_for_backward(streams, old, v, size, product, kept, weights)
        ctx.squash = squash
        ctx.set_materialize_grads(False)
        return (h, new, weights.mT) if old is None else (h, new.detach(), weights.mT, new)

    @staticmethod
    @first_order
    def backward(
        ctx: Any,
        dh: Tensor | None,
        trail: Tensor | None,
        dweights: Tensor | None,
        dnew: Tensor | None = None,
    ):
        streams, old, v, size, product, kept, weights = ctx.saved_tensors
        batch, tokens, count, width = streams.shape
        many = product.shape[-1]
        dh = streams.new_zeros(batch, tokens, width) if dh is None else dh.contiguous()
        later = torch.zeros_like(weights) if dweights is None else dweights.mT.contiguous()
        dold, dv = (None if x is None else torch.empty_like(x) for x in (old, v))
        into = owned(streams, trail, dnew)
        # Each element of the batch has a row of its own, for threads must not share one.
        sums = streams.new_empty(batch, 2 * _padded(count * many) + many * width)
        given = (
            *_written(old, v),
            streams,
            size,
            product,
            ctx.squash,
            width,
            (0,) * count,
            (0,) * many,
        )
        work = (4 * count + 2 * many) * streams.numel()
        made = *_written(dold, dv), into, sums
        arguments = *given, kept, weights, dh, later, *made, tokens, block_of(streams)
        over_batch(backward, arguments, batch, work)
        drest, dsize, dproduct = (
            streams.new_empty(count, many),
            torch.empty_like(size),
            torch.empty_like(product),
        )
        over_batch(summed, (sums, batch, width, count, many, drest, dsize, dproduct), 1, 1)
        own = into, drest, dsize, dproduct, None, None
        return own if old is None else (*own, dold.mT, dv)


def _padded(numbers: int) -> int:
    return -(-numbers // LANES) * LANES


def _written(weights: Tensor | None, v: Tensor | None) -> tuple[Tensor | int, Tensor | int]:
    return (0, 0) if weights is None else (weights, v)
