"""Six ways in which DAR's static queries depend on the timestep or the class."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond

BINS = 8
HARMONICS = 4


class Conditioner(nn.Module):
    """Makes q (R, B, D) from the readers' static queries w (R, D) and the conditions.

    R is the number of readers over depth. At its initial values q must equal w, so that a
    conditioned routing starts as the static one. Forward work is per sample, not per token.
    """

    depends_on: ClassVar[frozenset[str]] = frozenset({"time"})  # a subset of time, label
    starts_static: ClassVar[bool] = True  # whether q equals w at the initial values

    def __init__(self, readers: int, width: int):
        super().__init__()

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        raise NotImplementedError


class Bins(Conditioner):
    """q_l = w_l + table[bin(t), l], equal bins of t in [0, 1].

    Parameters: table (BINS, R, D), zeros.
    """

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.table = nn.Parameter(torch.zeros(BINS, readers, width))

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        cell = (cond.time * BINS).long().clamp(0, BINS - 1)
        return w.unsqueeze(1) + self.table[cell].transpose(0, 1)


class Film(Conditioner):
    """q_l = w_l (1 + gamma(t)) + beta(t),  [gamma | beta] = W SiLU(t) + b  (arXiv:1709.07871).

    Parameters, shared by all readers: to_film, W (2 D, D) and b (2 D,), zeros.
    """

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.to_film = nn.Linear(width, 2 * width)
        nn.init.zeros_(self.to_film.weight)
        nn.init.zeros_(self.to_film.bias)

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        gamma, beta = self.to_film(nn.functional.silu(cond.t)).chunk(2, dim=-1)
        return torch.addcmul(w.unsqueeze(1) + beta, w.unsqueeze(1), gamma)


class Fourier(Conditioner):
    """q_l = w_l + sum_k a_{l,k} cos(pi k t) + b_{l,k} sin(pi k t),  k = 1 .. HARMONICS.

    Half periods are included, so that the ends t = 0 and t = 1 need not agree.
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


class Label(Conditioner):
    """q_l = w_l + E y, y the label embedding. Parameters: e_y (D, D), zeros."""

    depends_on = frozenset({"label"})

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.e_y = nn.Parameter(torch.zeros(width, width))

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        return w.unsqueeze(1) + nn.functional.linear(cond.y, self.e_y)


class Projection(Conditioner):
    """q_l = w_l + E t. Parameters: e_t (D, D), zeros. It is not in the DAR paper."""

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.e_t = nn.Parameter(torch.zeros(width, width))

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        return w.unsqueeze(1) + nn.functional.linear(cond.t, self.e_t)


class Reuse(Conditioner):
    """q_l = w_l + t  (arXiv:2605.20708). No parameters.

    In the paper the embedding t starts at zero; the model's zero_t_embed does that.
    """

    starts_static = False

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        return w.unsqueeze(1) + cond.t


CONDITIONERS: dict[str, type[Conditioner]] = {  # the choices of DAR's t_source
    "bins": Bins,
    "film": Film,
    "fourier": Fourier,
    "label": Label,
    "projection": Projection,
    "reuse": Reuse,
}
