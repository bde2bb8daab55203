"""Two built-in routings once more, as a user's file would hold them: `add`, and DAR's static form
read over the whole history with the operator that the built-in ones use."""

import math

import torch
from torch import nn

import darbench
from darbench.ops.depth_attention import depth_attention, source


@darbench.register("own_add")
class OwnAdd(darbench.Routing):
    """h_l = v_0 + ... + v_{l-1}."""

    equals_add = "strong"

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + v

    def elementwise_flops(self, tokens):
        return self.sites * tokens * self.width


@darbench.register("own_dar")
class OwnDar(darbench.Routing):
    """h_l = sum_i alpha_i v_i,  alpha = softmax_i(w_l . RMSNorm(v_i) / sqrt(D)), all sources."""

    equals_add = "strong"

    def __init__(self, sites, width, *, lr_mult: float = 1.0):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.w = nn.Parameter(torch.zeros(sites + 1, width))

    def begin(self, x, cond):
        return (source(x),)

    def read(self, state, site):
        return depth_attention(self.w[site], state, 1 / math.sqrt(self.width), 1)[0]

    def write(self, state, site, v):
        return (*state, source(v))

    def elementwise_flops(self, tokens):
        reads = sum(range(1, self.sites + 2))
        return (4 * reads + 2 * (self.sites + 1)) * tokens * self.width
