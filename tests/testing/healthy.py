"""Two routings without a mistake, from which the broken ones are derived."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from darbench import Routing


class Scaled(Routing):
    """s_{l+1} = s_l + a_l v_l,  h_l = s_l;  a is one at first."""

    equals_add = "strong"

    def __init__(self, sites, width, *, lr_mult: float = 1.0):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.a = nn.Parameter(torch.ones(sites))

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + self.a[site] * v

    def elementwise_flops(self, tokens):
        return 2 * self.sites * tokens * self.width


class State(NamedTuple):
    values: tuple[Tensor, ...]  # v_0 .. v_l, each (B, T, D)
    keys: tuple[Tensor, ...]  # the same, normed
    queries: tuple[Tensor, ...]  # of every reader, (B, D)


class Attentive(Routing):
    """h_l = sum_i softmax_i((w_l + W t) . RMSNorm(v_i) / sqrt(D)) v_i;  w and W are zero at first.

    The parts that a mistake would change are methods of their own.
    """

    equals_add = "strong"
    conditioned_on = frozenset({"time"})

    def __init__(self, sites, width, *, lr_mult: float = 1.0):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.w = nn.Parameter(torch.zeros(sites + 1, width))
        self.w_t = nn.Parameter(torch.zeros(width, width))

    def begin(self, x, cond):
        return State((x,), (self.key(x),), self.queries(cond).unbind())

    def read(self, state, site):
        alpha = self.weights(self.logits(state, site))
        return self.mix(alpha, state.values, site)

    def write(self, state, site, v):
        return State((*state.values, v), (*state.keys, self.key(v)), state.queries)

    def key(self, v):
        return v * torch.rsqrt(v.square().mean(-1, keepdim=True) + 1e-6)

    def queries(self, cond):
        return self.w.unsqueeze(1) + cond.t @ self.w_t  # (R, B, D)

    def logits(self, state, site):
        """(J, B, T)"""
        query = state.queries[site].unsqueeze(1) / math.sqrt(self.width)
        return torch.stack([(query * key).sum(-1) for key in state.keys])

    def weights(self, logits):
        return torch.softmax(logits, dim=0).unsqueeze(-1)

    def mix(self, alpha, values, site):
        return sum(a * v for a, v in zip(alpha, values, strict=True))

    def elementwise_flops(self, tokens):
        pairs = (self.sites + 1) * (self.sites + 2) // 2
        return (4 * pairs + 3 * (self.sites + 1)) * tokens * self.width
