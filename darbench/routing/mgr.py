"""Multi-gate residuals: streams that forget at their own learnt pace, pooled by a softmax."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.depth_attention import Source, depth_attention, key_norm, source
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing

REFERENCE_LAYERS = 21  # the number of layers in the initial bias


class State(NamedTuple):
    streams: tuple[Source, ...]  # s_1 .. s_S, fewer until v_{S-1} is in


@register("mgr")
class MultiGate(Routing):
    """Multi-gate residuals  (arXiv:2605.23259), per token:

        s_i <- (1 - b_i) s_i + b_i v_l,   b_i = sigmoid(w_b . RMSNorm(s_i) / sqrt(D) + bias_i)
        h_l = sum_i softmax_i(w_a . RMSNorm(s_i) / sqrt(D)) s_i

    v_0 .. v_{S-1} become the S streams; copies of v_0 instead would never separate.

    State: the streams with their inverse RMS.
    Parameters: w_a (D,) of every site and of the head, zeros; of each of the M = sites + 1 - S
    sites whose output is mixed in, w_b (D,), zeros, and bias (S,), -log(sqrt(M / 21) (e^3 + 1)
    - S). The sites before them only fill the streams and have no gates.
    Differs from the paper: written from a third party's account of it.
    """

    paper = "arXiv:2605.23259"
    citation = Paper(
        "Multi-Gate Residuals",
        "Zheng, Zhizhan and Zhang, Feiyun and Liu, Shuchun and Xia, Tian and Liu, Xi and "
        "Hu, Dasheng and Zhou, Hongquan",
        2026,
    )
    settings = ({"streams": 3},)
    equals_add = "weak"

    def __init__(self, sites: int, width: int, *, streams: int = 4, lr_mult: float = 1.0):
        super().__init__(sites, width)
        if not 1 <= streams <= sites:
            raise ValueError(f"streams={streams}: must be between 1 and the {sites} sites")
        self.streams, self.lr_mult = streams, lr_mult
        mixed = sites + 1 - streams
        odds = math.sqrt(mixed / REFERENCE_LAYERS) * (math.e**3 + 1) - streams
        if odds <= 0:
            raise ValueError(f"streams={streams}: too many for {sites} sites, bias undefined")
        self.w_a = nn.Parameter(torch.zeros(sites + 1, width))
        self.w_b = nn.Parameter(torch.zeros(mixed, width))
        self.bias = nn.Parameter(torch.full((mixed, streams), -math.log(odds)))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State((source(x),))

    def read(self, state: State, site: int) -> Tensor:
        return depth_attention(self.w_a[site], state.streams, 1 / math.sqrt(self.width))[0]

    def write(self, state: State, site: int, v: Tensor) -> State:
        if len(state.streams) < self.streams:
            return State((*state.streams, source(v)))
        row = site + 1 - self.streams  # 0 at the first site that mixes
        streams = zip(state.streams, self.bias[row].unbind(), strict=True)
        return State(tuple(self._mixed(s, v, self.w_b[row], bias) for s, bias in streams))

    def _mixed(self, s: Source, v: Tensor, w_b: Tensor, bias: Tensor) -> Source:
        logit = (w_b * s.value).sum(-1) * key_norm(s) / math.sqrt(self.width) + bias
        b = torch.sigmoid(logit).unsqueeze(-1)  # (B, T, 1)
        return source(torch.lerp(s.value.to(b.dtype), v.to(b.dtype), b))

    def elementwise_flops(self, tokens: int) -> int:
        reads = sum(min(site + 1, self.streams) for site in range(self.sites + 1))
        mixed = self.streams * (self.sites + 1 - self.streams)
        made = self.streams + mixed  # each with a norm; mixing is a dot and an interpolation
        return (4 * reads + 5 * mixed + 2 * made) * tokens * self.width
