"""Queries that depend on the class instead of the timestep."""

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond
from darbench.routing.conditioners.base import Conditioner, conditioner


@conditioner("label")
class Label(Conditioner):
    """q_l = w_l + E y, y the label embedding. Parameters: e_y (D, D), zeros."""

    depends_on = frozenset({"label"})

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.e_y = nn.Parameter(torch.zeros(width, width))

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        return w.unsqueeze(1) + nn.functional.linear(cond.y, self.e_y)
