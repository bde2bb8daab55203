"""A table of queries, one for each bin of t."""

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond
from darbench.routing.conditioners.base import Conditioner, conditioner

BINS = 8


@conditioner("bins")
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
