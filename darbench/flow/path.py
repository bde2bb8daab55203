"""The linear interpolant of SiT: x_0 is noise at t = 0, x_1 is data at t = 1."""

import torch
from torch import Tensor


def interpolate(x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
    """x_t = t x_1 + (1 - t) x_0  (arXiv:2401.08740, eq. 1 with alpha = t, sigma = 1 - t).

    x0, x1: (B, ...); t: (B,).
    """
    return torch.lerp(x0, x1, t.view(-1, *[1] * (x0.dim() - 1)))


def velocity(x0: Tensor, x1: Tensor) -> Tensor:
    """The target d x_t / d t = x_1 - x_0, constant along the path."""
    return x1 - x0
