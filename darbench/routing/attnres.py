"""Attention Residuals: every sublayer attends over the outputs before it."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.depth_attention import Source, depth_attention, source
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing
from darbench.routing.history import WINDOWS
from darbench.routing.readers import reader_flops, reader_groups, refuse_misfits


class State(NamedTuple):
    sources: tuple[Source, ...]
    queries: tuple[Tensor, ...]  # gain_l w_l of each reader, (D,)


@register("attnres")
class AttnRes(Routing):
    """Attention Residuals  (Kimi Team, arXiv:2603.15031):

        h_l = sum_i alpha_i v_i,   alpha = softmax_i(w_l . k_i),   k_i = gain_l * RMSNorm(v_i)

    full: the sources are v_0 .. v_{l-1}. block: they are v_0, the sums of the closed blocks of
    `span` sublayers and the running sum of the open one. There is no factor 1 / sqrt(D). heads:
    each group of channels has its own softmax (arXiv:2607.27230).

    State: the sources, and the readers' queries.
    Parameters, each with a leading axis of sites + 1 readers: w (D,), zeros; gain (D,), ones.
    lr_mult is for the queries, not for the gains.
    """

    paper = "arXiv:2603.15031"
    citation = Paper("Attention Residuals", "{Kimi Team}", 2026)
    settings = ({}, {"form": "block", "span": 3, "heads": 4})
    equals_add = "strong"

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        form: Literal["full", "block"] = "full",
        span: int = 4,
        heads: int = 1,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        refuse_misfits(span, width, heads)
        self.history = "full" if form == "full" else "chunk_sum"
        self.span, self.heads, self.lr_mult = span, heads, lr_mult
        self.w = nn.Parameter(torch.zeros(sites + 1, width))
        self.gain = nn.Parameter(torch.ones(sites + 1, width))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State((source(x),), (self.gain * self.w).unbind())

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        h, sources = depth_attention(state.queries[site], state.sources, 1.0, self.heads)
        return h, state._replace(sources=sources)

    def write(self, state: State, site: int, v: Tensor) -> State:
        grow = WINDOWS[self.history].grow
        sources = grow(state.sources, source(v), site, self.span, self.sites)
        return state._replace(sources=sources)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return reader_groups(self, self.lr_mult)

    def elementwise_flops(self, tokens: int) -> int:
        return reader_flops(self.history, self.span, self.sites) * tokens * self.width
