"""FiLM: the timestep scales and shifts every query."""

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond
from darbench.routing.conditioners.base import Conditioner, conditioner


@conditioner("film")
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
