"""Sinkhorn's normalisation as it is defined; any device, any precision."""

import itertools

import torch
from torch import Tensor

FLOOR = -60.0  # the least logit below the largest of its column: no row vanishes in float32


def sinkhorn(logits: Tensor, iterations: int) -> Tensor:
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
