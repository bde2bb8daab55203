"""DAR: diffusion-adaptive routing, a softmax read over the history of sublayer outputs."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.depth_attention import depth_attention, inverse_rms
from darbench.registry import register
from darbench.routing import history as windows
from darbench.routing.base import Cond, Routing


class Source(NamedTuple):
    value: Tensor  # (B, T, D)
    inv_rms: Tensor  # (B, T), of the key norm; it does not depend on the reader

    def __add__(self, other: "Source") -> "Source":
        return source(self.value + other.value)


def source(v: Tensor) -> Source:
    return Source(v, inverse_rms(v))


class State(NamedTuple):
    sources: tuple[Source, ...]
    queries: tuple[Tensor, ...]  # gain_l q_l of each reader; dynamic: gain_l W_q^(l) (D, D)
    last: Tensor  # v_{l-1} (B, T, D), what a dynamic query is made of


@register("dar")
class Dar(Routing):
    """Diffusion-adaptive routing  (Xu et al., arXiv:2605.20708, sec. 3):

        h_l = sum_{i in S_l} alpha_{i->l} v_i,   alpha = softmax_i(q_l . k_i / sqrt(D))
        k_i = gain_l * RMSNorm(v_i)
        q_l = w_l (static)  |  w_l + e(t) (static_t)  |  W_q^(l) v_{l-1} (dynamic)

    S_l is the history window, see `darbench.routing.history`; the paper's is chunk_last, span 4.
    The head has a reader of its own (the dedicated final aggregator).

    State: the sources in the window with their inverse RMS, and the readers' queries.
    Parameters, each with a leading axis of sites + 1 readers: w (D,) or w_q (D, D), zeros;
    gain (D,), ones. static_t with t_source=projection adds e_t (D, D), zeros, shared by all
    readers; with t_source=reuse, e(t) is the timestep embedding itself, and the paper starts it
    from zero: set the model's zero_t_embed for that.
    Differs from the paper: t_source=projection is not in it; it keeps equality to `add` and the
    trunk's initial values. The initial value of W_q and the bias of the projections are not
    stated there; here W_q is zero and has none.
    """

    paper = "arXiv:2605.20708"

    def __init__(
        self, sites: int, width: int, *,
        query: Literal["static", "static_t", "dynamic"] = "static_t",
        t_source: Literal["projection", "reuse"] = "projection",
        history: Literal["full", "chunk_last", "chunk_sum", "window"] = "chunk_last",
        span: int = 4,
        lr_mult: float = 1.0,
    ):  # fmt: skip
        super().__init__(sites, width)
        if span < 1:
            raise ValueError(f"span={span}: must be at least 1")
        self.query, self.t_source, self.lr_mult = query, t_source, lr_mult
        self.history, self.span = history, span
        self.grow = windows.WINDOWS[history]
        readers = sites + 1
        self.gain = nn.Parameter(torch.ones(readers, width))
        if query == "dynamic":
            self.w_q = nn.Parameter(torch.zeros(readers, width, width))
        else:
            self.w = nn.Parameter(torch.zeros(readers, width))
        if query == "static_t" and t_source == "projection":
            self.e_t = nn.Parameter(torch.zeros(width, width))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State((source(x),), self._queries(cond).unbind(), x)

    def read(self, state: State, site: int) -> Tensor:
        query = state.queries[site]
        if self.query == "dynamic":
            query = nn.functional.linear(state.last, query)
        values, inv_rms = zip(*state.sources, strict=True)
        return depth_attention(query, values, inv_rms, scale=1 / math.sqrt(self.width))

    def write(self, state: State, site: int, v: Tensor) -> State:
        sources = self.grow(state.sources, source(v), site, self.span, self.sites)
        return State(sources, state.queries, v)

    def _queries(self, cond: Cond) -> Tensor:
        """All readers at once, the key's gain folded in: q . (gain k) = (gain q) . k."""
        if self.query == "dynamic":
            return self.gain.unsqueeze(-1) * self.w_q  # (N + 1, D, D)
        if self.query == "static":
            return self.gain * self.w  # (N + 1, D)
        e_t = cond.t if self.t_source == "reuse" else nn.functional.linear(cond.t, self.e_t)
        return (self.gain[:, None] * (self.w[:, None] + e_t)).unsqueeze(-2)  # (N + 1, B, 1, D)

    @property
    def equals_add(self) -> Literal["strong", "weak"]:
        reused = self.query == "static_t" and self.t_source == "reuse"
        partition = windows.partitions(self.history, self.span, self.sites)
        return "strong" if partition and not reused else "weak"

    def elementwise_flops(self, tokens: int) -> int:
        reads = sum(windows.sizes(self.history, self.span, self.sites))
        born = self.sites + 1
        # All outputs but the first of a chunk are added to its sum, which is normed anew.
        sums = self.sites - math.ceil(self.sites / self.span) if self.history == "chunk_sum" else 0
        # A read's dot and accumulation are two multiply-adds a source, a key norm is one.
        return (4 * reads + 2 * born + 3 * sums) * tokens * self.width
