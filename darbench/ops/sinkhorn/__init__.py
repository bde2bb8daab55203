"""Doubly stochastic matrices: Sinkhorn's normalisation, and the permutations they mix."""

import torch
from torch import Tensor

from darbench.ops import native
from darbench.ops.sinkhorn import definition
from darbench.ops.sinkhorn.definition import permutations

__all__ = ["permutations", "sinkhorn"]


def sinkhorn(logits: Tensor, iterations: int) -> Tensor:
    """Scale exp(logits) (..., n, n) towards row and column sums of 1, in float32 or better.

    A logit counts as no more than 60 below the largest of its column.

    Columns are normalised, then rows, so that rows, the axis contracted when streams are mixed,
    sum to 1 to rounding. After 20 iterations the worst column of a 4 x 4 matrix is off by less
    than 1e-5 in 99 of 100 draws of normal logits; on average by 0.03 for logits of size 10.
    """
    if iterations < 1 or not native.takes(logits) or torch.compiler.is_compiling():
        return definition.sinkhorn(logits, iterations)
    from darbench.ops.sinkhorn import cpu

    return cpu.Sinkhorn.apply(logits, iterations)
