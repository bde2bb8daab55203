"""A short Fourier series in t for every query."""

import math

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond
from darbench.routing.conditioners.base import Conditioner, conditioner

HARMONICS = 4


@conditioner("fourier")
class Fourier(Conditioner):
    """q_l = w_l + sum_k a_{l,k} cos(pi k t) + b_{l,k} sin(pi k t),  k = 1 .. HARMONICS.

    Half periods, so that the ends t = 0 and t = 1 are not forced to agree.
    Parameters: coefficients (R, 2 HARMONICS, D), a then b, zeros.
    """

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.coefficients = nn.Parameter(torch.zeros(readers, 2 * HARMONICS, width))

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        k = torch.arange(1, HARMONICS + 1, device=cond.time.device, dtype=cond.time.dtype)
        angles = math.pi * k * cond.time.unsqueeze(-1)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)  # (B, 2 HARMONICS)
        return w.unsqueeze(1) + waves @ self.coefficients
