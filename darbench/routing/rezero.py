"""ReZero: every residual branch starts at zero behind one learnt scalar."""

from typing import Literal

import torch
from torch import Tensor, nn

from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


@register("rezero")
class ReZero(Routing):
    """ReZero  (Bachlechner et al., arXiv:2003.04887), h_l = s_l:

        s_{l+1} = s_l + a_l v_l

    v_l carries 1 + gate instead of the adaLN gate: two factors that both start at zero would
    each get a gradient proportional to the other, and stay zero for ever.

    State: the stream s (B, T, D).
    Differs from the paper: the sublayers keep SiT's adaLN, norm included; the paper's have none.
    Parameters: a, one scalar per block, shared by its two sublayers as in the paper, or one per
    sublayer; zeros.
    """

    paper = "arXiv:2003.04887"
    citation = Paper(
        "ReZero is All You Need: Fast Convergence at Large Depth",
        "Bachlechner, Thomas and Majumder, Bodhisattwa Prasad and Mao, Huanru Henry and "
        "Cottrell, Garrison W. and McAuley, Julian",
        2020,
    )
    settings = ({}, {"share": "sublayer"})
    gate = "one_plus"
    equals_add = "weak"

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        share: Literal["block", "sublayer"] = "block",
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.sites_per_scalar = 2 if share == "block" else 1
        self.a = nn.Parameter(torch.zeros(sites // self.sites_per_scalar))

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return x

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        return torch.addcmul(state, self.a[site // self.sites_per_scalar], v)

    def elementwise_flops(self, tokens: int) -> int:
        return 2 * self.sites * tokens * self.width
