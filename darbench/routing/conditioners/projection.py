"""A learnt projection of the timestep embedding, shared by all readers."""

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond
from darbench.routing.conditioners.base import Conditioner, conditioner


@conditioner("projection")
class Projection(Conditioner):
    """q_l = w_l + E t. Parameters: e_t (D, D), zeros. Not in the DAR paper; keeps the trunk."""

    def __init__(self, readers: int, width: int):
        super().__init__(readers, width)
        self.e_t = nn.Parameter(torch.zeros(width, width))

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        return w.unsqueeze(1) + nn.functional.linear(cond.t, self.e_t)
