"""Multi-gate residuals: streams that forget at their own learnt pace, pooled by a softmax."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.depth_attention import depth_attention, inverse_rms
from darbench.registry import register
from darbench.routing.base import Cond, Routing

REFERENCE_LAYERS = 21  # of the initial bias


class State(NamedTuple):
    streams: tuple[Tensor, ...]  # s_1 .. s_S, fewer until S outputs are in, each (B, T, D)


@register("mgr")
class MultiGate(Routing):
    """Multi-gate residuals  (arXiv:2605.23259), per token:

        s_i <- (1 - b_i) s_i + b_i v_l,   b_i = sigmoid(w_b . RMSNorm(s_i) / sqrt(D) + bias_i)
        h_l = sum_i softmax_i(w_a . RMSNorm(s_i) / sqrt(D)) s_i

    v_0 .. v_{S-1} become the S streams; copies of v_0 instead would never separate.

    State: the streams.
    Parameters: w_b (D,) and bias (S,) of every site, w_a (D,) of every site and of the head; w_a
    and w_b zeros, bias -log(sqrt(M / 21) (e^3 + 1) - S) with M the outputs that are mixed in.
    Differs from the paper: written from a third party's account of it.
    """

    paper = "arXiv:2605.23259"

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
        self.w_b = nn.Parameter(torch.zeros(sites, width))
        self.bias = nn.Parameter(torch.full((sites, streams), -math.log(odds)))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State((x,))

    def read(self, state: State, site: int) -> Tensor:
        inv_rms = [inverse_rms(s) for s in state.streams]
        return depth_attention(self.w_a[site], state.streams, inv_rms, 1 / math.sqrt(self.width))

    def write(self, state: State, site: int, v: Tensor) -> State:
        if len(state.streams) < self.streams:
            return State((*state.streams, v))
        streams = zip(state.streams, self.bias[site].unbind(), strict=True)
        return State(tuple(torch.lerp(s, v, self._gate(s, site, bias)) for s, bias in streams))

    def _gate(self, s: Tensor, site: int, bias: Tensor) -> Tensor:
        """b_i (B, T, 1)"""
        logit = (self.w_b[site] * s).sum(-1) * inverse_rms(s) / math.sqrt(self.width) + bias
        return torch.sigmoid(logit).unsqueeze(-1).to(s.dtype)

    @property
    def equals_add(self) -> Literal["weak"]:
        return "weak"

    def elementwise_flops(self, tokens: int) -> int:
        reads = 6 * sum(min(site + 1, self.streams) for site in range(self.sites + 1))
        writes = 7 * self.streams * (self.sites + 1 - self.streams)
        return (reads + writes) * tokens * self.width
