"""Highway connections: a learnt gate carries the stream or takes the new output."""

from typing import Literal

import torch
from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


@register("highway")
class Highway(Routing):
    """Highway networks  (Srivastava et al., arXiv:1505.00387, eq. 3), h_l = s_l:

        s_{l+1} = (1 - G) (.) s_l + G (.) v_l

    full: G = sigmoid(W_l LN(s_l) + b_l), a gate per channel; scalar: one gate per token, where
    W_l is a single vector. The full form is as large as dynamic DAR and serves as its control.

    State: the stream s (B, T, D).
    Parameters of every site: w (1, D) or (D, D), zeros; b (1,) or (D,), `bias`.
    """

    paper = "arXiv:1505.00387"
    citation = Paper(
        "Highway Networks",
        'Srivastava, Rupesh Kumar and Greff, Klaus and Schmidhuber, J{\\"u}rgen',
        2015,
    )
    settings = ({}, {"form": "full"})
    equals_add = "weak"

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        form: Literal["scalar", "full"] = "scalar",
        bias: float = -2.0,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        outputs = width if form == "full" else 1
        self.w = nn.ParameterList(torch.zeros(outputs, width) for _ in range(sites))
        self.b = nn.Parameter(torch.full((sites, outputs), float(bias)))

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return x

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        normed = nn.functional.layer_norm(state, (self.width,), eps=EPS)
        gate = torch.sigmoid(nn.functional.linear(normed, self.w[site]) + self.b[site])
        return torch.lerp(state, v.to(state.dtype), gate.to(state.dtype))  # (eq. 3)

    def elementwise_flops(self, tokens: int) -> int:
        bias = 1 if self.b.shape[1] == self.width else 0  # one number per token is not counted
        return (5 + 3 + bias) * self.sites * tokens * self.width  # norm, interpolation
