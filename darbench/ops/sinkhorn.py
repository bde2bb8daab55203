"""Doubly stochastic matrices: Sinkhorn's normalisation, and the permutations they mix."""

import itertools

import torch
from torch import Tensor

FLOOR = -60.0  # the least logit below the largest of its column: no row vanishes in float32


def sinkhorn(logits: Tensor, iterations: int) -> Tensor:
    """exp(logits) (..., n, n) scaled towards row and column sums of 1, float32 or better.

    Columns are normalised, then rows, so that rows, the axis contracted when streams are mixed,
    sum to 1 to rounding. After 20 iterations the worst column of a 4 x 4 matrix is off by less
    than 1e-5 in 99 of 100 draws of normal logits; on average by 0.03 for logits of size 10.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    below = logits - logits.amax(-2, keepdim=True).detach()  # cancels in the first division
    m = torch.exp(below.clamp(min=FLOOR))
    for _ in range(iterations):
        m = m / m.sum(-2, keepdim=True)
        m = m / m.sum(-1, keepdim=True)
    return m


def permutations(n: int) -> Tensor:
    """All n! permutation matrices (n!, n, n), the identity first."""
    return torch.stack([torch.eye(n)[list(p)] for p in itertools.permutations(range(n))])
