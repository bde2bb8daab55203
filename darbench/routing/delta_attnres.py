"""Delta Attention Residuals: the residual stream, corrected by attention over the outputs."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.depth_attention import Source, depth_attention, null, source
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing
from darbench.routing.history import WINDOWS, additions, sizes
from darbench.routing.readers import reader_groups, refuse_misfits


class State(NamedTuple):
    stream: Tensor  # s_l, (B, T, D)
    sources: tuple[Source, ...]
    queries: tuple[Tensor, ...]  # gain_l w_l, (D,), of the readers from site 1 on


@register("delta_attnres")
class DeltaAttnRes(Routing):
    """Delta Attention Residuals  (arXiv:2605.18855):

        h_l = s_l + sum_{i < l} alpha_i v_i,   alpha = softmax_i(w_l . RMSNorm(v_i)) with gain
        s_{l+1} = s_l + v_l,   h_1 = s_1 = v_0,   the head reads s_{L+1}

    block: the sources are v_0, the sums of closed blocks of `span` sublayers and the running sum.
    null: one more source, which is zero, so that the other weights may sum to less than 1.

    State: the stream, the sources and the readers' queries.
    Parameters, each with a leading axis of sites - 1 readers: w (D,), zeros; gain (D,), ones.
    lr_mult is for the queries, not for the gains.
    Differs from the released code: its null source is learnt and is also read at the first site,
    and the sources of its block form are differences of neighbouring entries, without a running
    sum.
    """

    paper = "arXiv:2605.18855"
    citation = Paper("Delta Attention Residuals", "Luo, Cheng and Cai, Zefan and Hu, Junjie", 2026)
    settings = ({}, {"form": "block", "null": True})
    equals_add = "strong"

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        form: Literal["full", "block"] = "full",
        span: int = 4,
        null: bool = False,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        refuse_misfits(span, width)
        self.history = "full" if form == "full" else "chunk_sum"
        self.span, self.null, self.lr_mult = span, null, lr_mult
        self.w = nn.Parameter(torch.zeros(sites - 1, width))
        self.gain = nn.Parameter(torch.ones(sites - 1, width))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State(x, (source(x),), (self.gain * self.w).unbind())

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        if site in (0, self.sites):
            return state.stream, state
        nothing = (null(state.sources[0]),) if self.null else ()
        sources = (*state.sources, *nothing)
        read, sources = depth_attention(state.queries[site - 1], sources, scale=1.0)
        kept = sources[: len(state.sources)]
        return state.stream + read, state._replace(sources=kept)

    def write(self, state: State, site: int, v: Tensor) -> State:
        grow = WINDOWS[self.history].grow
        sources = grow(state.sources, source(v), site, self.span, self.sites)
        return State(state.stream + v, sources, state.queries)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return reader_groups(self, self.lr_mult)

    def elementwise_flops(self, tokens: int) -> int:
        window = (self.history, self.span, self.sites)
        seen = sizes(*window)[1:-1]
        reads = sum(seen) + (len(seen) if self.null else 0)
        sums = additions(*window)  # each with a norm
        fixed = self.sites + len(seen) + 2 * (self.sites + 1) + 3 * sums  # stream, reads, norms
        return (4 * reads + fixed) * tokens * self.width
