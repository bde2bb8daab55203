"""Sinkhorn's normalisation as it is defined; any device, any precision."""

import itertools

import torch
from torch import Tensor

FLOOR = -60.0  # logits are clamped to 60 below their column's largest: no row vanishes in float32


def sinkhorn(logits: Tensor, iterations: int) -> Tensor:
    logits = logits if logits.dtype == torch.float64 else logits.float()
    below = logits - logits.amax(-2, keepdim=True).detach()  # this cancels in the first division
    m = torch.exp(below.clamp(min=FLOOR))
    for _ in range(iterations):
        m = m / m.sum(-2, keepdim=True)
        m = m / m.sum(-1, keepdim=True)
    return m


def permutations(n: int) -> Tensor:
    """Return all n! permutation matrices (n!, n, n), the identity first."""
    return torch.stack([torch.eye(n)[list(p)] for p in itertools.permutations(range(n))])
