"""MUDDFormer's residual way: block outputs, mixed by weights made from the current one."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


class State(NamedTuple):
    stream: Tensor  # the input of the open block plus its outputs, (B, T, D)
    blocks: tuple[Tensor, ...]  # X_0 .. X_i, each (B, T, D)


@register("mudd")
class Mudd(Routing):
    """Multiway dynamic dense connections, in one way  (Xiao et al., arXiv:2502.12170):

        Y_i = sum_{j <= i} (b_{i,j} + A_i(X_i)_j) X_j,   A_i(x) = W_2 GELU(W_1 RMSNorm(x))

    per token, after block i. X_i is the stream after block i, X_0 = v_0; inside a block it is
    `add`. With W_1 off it is DenseFormer.
    Differs from the paper: its four ways feed the residual and, inside attention, q, k and v; here
    the residual way feeds them all. Its hidden width is that of the four ways together.

    State: the stream and all X_j.
    Parameters of block i = 1 .. depth, with n = i + 1 sources: w1 (n, D), xavier; w2 (n, n),
    zeros; bias (n,), 1 for j = i and 0 elsewhere, which is `add` exactly.
    """

    paper = "arXiv:2502.12170"
    citation = Paper(
        "MUDDFormer: Breaking Residual Bottlenecks in Transformers via Multiway Dynamic Dense "
        "Connections",
        "Xiao, Da and Meng, Qingye and Li, Shengping and Yuan, Xingyuan",
        2025,
    )
    equals_add = "strong"

    def __init__(self, sites: int, width: int, *, lr_mult: float = 1.0):
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        counts = range(2, sites // 2 + 2)
        xavier = nn.init.xavier_uniform_
        self.w1 = nn.ParameterList(xavier(torch.empty(n, width)) for n in counts)
        self.w2 = nn.ParameterList(torch.zeros(n, n) for n in counts)
        self.bias = nn.ParameterList(torch.eye(n)[-1] for n in counts)

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State(x, (x,))

    def read(self, state: State, site: int) -> Tensor:
        return state.stream

    def write(self, state: State, site: int, v: Tensor) -> State:
        stream = state.stream + v
        block, inside = divmod(site, 2)
        if not inside:
            return State(stream, state.blocks)
        blocks = (*state.blocks, stream)
        weights = self._weights(stream, block).unsqueeze(-2).unbind(-1)  # n of (B, T, 1)
        return State(sum(w * x for w, x in zip(weights, blocks, strict=True)), blocks)

    def _weights(self, x: Tensor, block: int) -> Tensor:
        """The weights A(x) + b of the sources after this block, (B, T, n)."""
        normed = nn.functional.rms_norm(x, (self.width,), eps=EPS)
        hidden = nn.functional.gelu(nn.functional.linear(normed, self.w1[block]))
        return nn.functional.linear(hidden, self.w2[block]) + self.bias[block]

    def elementwise_flops(self, tokens: int) -> int:
        depth = self.sites // 2
        sources = sum(range(2, depth + 2))
        return (self.sites + 3 * depth + 2 * sources) * tokens * self.width
