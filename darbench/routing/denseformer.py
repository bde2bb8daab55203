"""DenseFormer: depth-weighted averages of the block outputs."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


class State(NamedTuple):
    stream: Tensor  # Y_{i-1} plus the outputs of the open block, (B, T, D)
    blocks: tuple[Tensor, ...]  # X_0 .. X_i, each (B, T, D)


@register("denseformer")
class DenseFormer(Routing):
    """Depth-weighted average after block i  (Pagliardini et al., arXiv:2402.02622, eq. 1-2):

        X_0 = v_0,  X_i = block_i(Y_{i-1}),  Y_0 = X_0
        Y_i = sum_{j <= i, j = i mod dilation} alpha_{i,j} X_j    if i mod period = 0, else X_i

    X_i is the residual stream after block i, a cumulative state; inside a block it is `add`.

    State: the stream and all X_j.
    Parameters: alpha, one scalar for every (i, j) above in one vector, i ascending, then j;
    1 for j = i and 0 elsewhere, which is `add` exactly. Signs are free, there is no softmax.
    """

    paper = "arXiv:2402.02622"
    citation = Paper(
        "DenseFormer: Enhancing Information Flow in Transformers via Depth Weighted Averaging",
        "Pagliardini, Matteo and Mohtashami, Amirkeivan and Fleuret, Fran{\\c{c}}ois and "
        "Jaggi, Martin",
        2024,
    )
    settings = ({}, {"period": 2}, {"dilation": 2})
    equals_add = "strong"

    def __init__(
        self, sites: int, width: int, *, period: int = 1, dilation: int = 1, lr_mult: float = 1.0
    ):
        super().__init__(sites, width)
        if period < 1 or dilation < 1:
            raise ValueError(f"period={period}, dilation={dilation}: both must be at least 1")
        self.period, self.dilation, self.lr_mult = period, dilation, lr_mult
        averaged = range(period, sites // 2 + 1, period)
        self.rows = [i // dilation + 1 for i in averaged]  # scalars per averaged block
        alpha = torch.cat([torch.eye(n)[-1] for n in self.rows] or [torch.empty(0)])
        self.alpha = nn.Parameter(alpha)

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State(x, (x,))

    def read(self, state: State, site: int) -> Tensor:
        return state.stream

    def write(self, state: State, site: int, v: Tensor) -> State:
        stream = state.stream + v
        block, inside = divmod(site + 1, 2)
        if inside:
            return State(stream, state.blocks)
        blocks = (*state.blocks, stream)
        if block % self.period:
            return State(stream, blocks)
        alpha = self.alpha.split(self.rows)[block // self.period - 1].unbind()
        sources = blocks[block % self.dilation :: self.dilation]
        mixed = sum(a * x for a, x in zip(alpha, sources, strict=True))  # (eq. 1-2)
        return State(mixed, blocks)

    def elementwise_flops(self, tokens: int) -> int:
        return (self.sites + 2 * sum(self.rows)) * tokens * self.width
