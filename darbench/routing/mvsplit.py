"""MV-Split: the mean over tokens and what differs from it take separate residual gains."""

import torch
from torch import Tensor, nn

from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


@register("mvsplit")
class MVSplit(Routing):
    """Mean-variance split residual  (arXiv:2605.06169), h_l = s_l, m(x) the mean over tokens:

        s_{l+1} = s_l + b_l (.) (v_l - m(v_l)) + a_l (.) (m(v_l) - m(s_l))

    State: the stream s (B, T, D).
    Parameters, each (sites, D): a, zeros, so the stream keeps its mean over tokens; b, `gain`.
    Differs from the paper: its b starts at 0.03; SiT's adaLN gates and pre-norm are kept, its
    post-norm is left out.
    """

    paper = "arXiv:2605.06169"
    citation = Paper(
        "Mean Mode Screaming: Mean--Variance Split Residuals for 1000-Layer Diffusion "
        "Transformers",
        "Lu, Pengqi",
        2026,
    )
    equals_add = "weak"

    def __init__(self, sites: int, width: int, *, gain: float = 1.0, lr_mult: float = 1.0):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.a = nn.Parameter(torch.zeros(sites, width))
        self.b = nn.Parameter(torch.full((sites, width), float(gain)))

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return x

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        v = v.to(state.dtype)  # or rounding would change the mean
        mean_v, mean_s = v.mean(1, keepdim=True), state.mean(1, keepdim=True)
        return state + self.b[site] * (v - mean_v) + self.a[site] * (mean_v - mean_s)

    def elementwise_flops(self, tokens: int) -> int:
        return 6 * self.sites * tokens * self.width
