"""SiameseNorm: a post-norm and a pre-norm stream that share every sublayer."""

import math
from typing import NamedTuple

from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


class State(NamedTuple):
    post: Tensor  # u, (B, T, D), normed for the next reader
    pre: Tensor  # y, the plain residual sum, (B, T, D)


@register("siamese")
class Siamese(Routing):
    """SiameseNorm  (arXiv:2602.08064, its DiT form), in block k counted from 0:

        u <- LN_a(u),   h_l = u + LN_b(y),   u <- u + v_l / sqrt(2 (k + 1)),   y <- y + v_l

    with the same two norms before the head. Both streams are v_0 at first.

    State: u and y.
    Parameters: weight and bias (D,) of LN_a and LN_b, of every site and of the head; 1 and 0.
    """

    paper = "arXiv:2602.08064"
    citation = Paper(
        "SiameseNorm: Breaking the Barrier to Reconciling Pre/Post-Norm",
        "Li, Tianyu and Han, Dongchen and Cao, Zixuan and Huang, Haofeng and Zhou, Mengyu and "
        "others",
        2026,
    )
    equals_add = "weak"

    def __init__(self, sites: int, width: int):
        super().__init__(sites, width)
        self.norm_a = nn.ModuleList(nn.LayerNorm(width, eps=EPS) for _ in range(sites + 1))
        self.norm_b = nn.ModuleList(nn.LayerNorm(width, eps=EPS) for _ in range(sites + 1))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State(self.norm_a[0](x), x)

    def read(self, state: State, site: int) -> Tensor:
        return state.post + self.norm_b[site](state.pre)

    def write(self, state: State, site: int, v: Tensor) -> State:
        shrunk = v / math.sqrt(2 * (site // 2 + 1))
        return State(self.norm_a[site + 1](state.post + shrunk), state.pre + v)

    def elementwise_flops(self, tokens: int) -> int:
        norms = 7 * 2 * (self.sites + 1)
        sums = 3 * self.sites + self.sites + 1
        return (norms + sums) * tokens * self.width
