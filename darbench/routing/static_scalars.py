"""Static scalars: every reader weighs every earlier output with a learnt constant."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


class State(NamedTuple):
    sources: tuple[Tensor, ...]  # v_0 .. v_i, each (B, T, D)
    weights: tuple[Tensor, ...]  # a_l of each reader, (l,)


@register("static_scalars")
class StaticScalars(Routing):
    """h_l = sum_{i < l} a_{l,i} v_i: input-independent mixing, signs free, no softmax.

    The generalised residual of DeepCrossAttention without its dynamic part  (Heddes et al.,
    arXiv:2502.06785, GRN-v1); the "static" row of Attention Residuals' ablation.

    State: all v_i, and the readers' weights.
    Parameters: a, one scalar for every pair (reader, source) in one vector, readers ascending;
    ones, which is `add` exactly.
    """

    paper = "arXiv:2502.06785"
    citation = Paper(
        "DeepCrossAttention: Supercharging Transformer Residual Connections",
        "Heddes, Mike and Javanmard, Adel and Axiotis, Kyriakos and Fu, Gang and "
        "Bateni, MohammadHossein and Mirrokni, Vahab",
        2025,
    )
    equals_add = "strong"

    def __init__(self, sites: int, width: int, *, lr_mult: float = 1.0):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.rows = list(range(1, sites + 2))  # number of sources of each reader
        self.a = nn.Parameter(torch.ones(sum(self.rows)))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State((x,), self.a.split(self.rows))

    def read(self, state: State, site: int) -> Tensor:
        weights = state.weights[site].unbind()
        return sum(a * v for a, v in zip(weights, state.sources, strict=True))

    def write(self, state: State, site: int, v: Tensor) -> State:
        return State((*state.sources, v), state.weights)

    def elementwise_flops(self, tokens: int) -> int:
        return 2 * sum(self.rows) * tokens * self.width
