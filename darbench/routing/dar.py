"""DAR: diffusion-adaptive routing, a softmax read over the history of sublayer outputs."""

import math
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.depth_attention import Source, depth_attention, source
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing
from darbench.routing.conditioners import CONDITIONERS
from darbench.routing.history import WINDOWS, partitions, source_sets
from darbench.routing.readers import reader_flops, reader_groups, refuse_misfits


class State(NamedTuple):
    last: Tensor  # v_{l-1}, (B, T, D), from which a dynamic query is made
    sources: tuple[Source, ...]
    queries: tuple[Tensor, ...]  # gain_l q_l of each reader; dynamic: gain_l W_q^(l) (D, D)


@register("dar")
class Dar(Routing):
    """Diffusion-adaptive routing  (Xu et al., arXiv:2605.20708, sec. 3):

        h_l = sum_{i in S_l} alpha_{i->l} v_i,   alpha = softmax_i(q_l . k_i / sqrt(D))
        k_i = gain_l * RMSNorm(v_i)
        q_l = w_l (static)  |  w_l + e(t) (static_t)  |  W_q^(l) v_{l-1} (dynamic)

    S_l is the history window, see `darbench.routing.history`; the paper's is chunk_last, span 4.
    The head has a reader of its own (final=dedicated), or shares the last sublayer's query and
    gain (reuse_last, the paper's form with REPA). heads: each group of channels has its own
    softmax (arXiv:2607.27230), and D is the width of a group in the scale 1 / sqrt(D), which
    scale=none leaves out, as AttnRes does.

    State: the newest output, the sources kept, and the readers' queries.
    Parameters, each with a leading axis of readers, sites + 1 (reuse_last: sites): w (D,) or w_q
    (D, D), zeros; gain (D,), ones, unless gain=False. static_t adds those of its conditioner,
    t_source, see `darbench.routing.conditioners`; the paper uses reuse, in which e(t) starts from
    zero only with the model's zero_t_embed. lr_mult is for the queries, not for the gains.
    Differs from the paper: t_source=projection, the default, is not in it; it keeps equality to
    `add` and the trunk's initial values. The paper does not state the initial value of W_q and
    whether projections have a bias; here W_q is zero, without a bias. value_gate=False takes
    the adaLN gate out of v_l, an ablation.
    """

    paper = "arXiv:2605.20708"
    citation = Paper(
        "Rethinking Cross-Layer Information Routing in Diffusion Transformers",
        "Xu, Chao and Li, Maohua and Li, Qirui and Xu, Yixuan and Zhou, Yanke and Li, Yunhe and "
        "Shen, Cuifeng and Tang, Hanlin and Liu, Kan and Lan, Tao and Qu, Lin and "
        "Zhang, Shao-Qun",
        2026,
    )
    settings = (
        {"query": "static"},
        {"query": "static_t"},
        {"query": "static_t", "t_source": "reuse"},
        {"query": "static_t", "t_source": "reuse", "history": "full"},
        {"query": "dynamic"},
        {"query": "static", "history": "full"},
        {"query": "static_t", "history": "full"},
        {"query": "dynamic", "history": "full"},
        {"query": "static", "span": 1},
        {"query": "static_t", "span": 8},
        {"query": "static_t", "history": "chunk_sum"},
        {"query": "dynamic", "history": "chunk_sum", "span": 3},
        {"query": "static_t", "history": "window"},
        {"query": "static", "history": "window", "span": 8},
        {"query": "static_t", "t_source": "bins", "history": "full"},
        {"query": "static_t", "t_source": "fourier", "history": "chunk_sum_raw"},
        {"query": "static_t", "t_source": "film", "history": "dilated", "span": 2},
        {"query": "static_t", "t_source": "label", "history": "log"},
        {"query": "dynamic", "final": "reuse_last", "heads": 4},
        {"query": "static", "gain": False, "scale": "none", "history": "full"},
        {"query": "static_t", "value_gate": False},
    )

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        query: Literal["static", "static_t", "dynamic"] = "static_t",
        t_source: Literal[tuple(CONDITIONERS)] = "projection",
        history: Literal[tuple(WINDOWS)] = "chunk_last",
        span: int = 4,
        final: Literal["dedicated", "reuse_last"] = "dedicated",
        heads: int = 1,
        gain: bool = True,
        scale: Literal["sqrt", "none"] = "sqrt",
        value_gate: bool = True,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        refuse_misfits(span, width, heads)
        self.query, self.t_source, self.lr_mult = query, t_source, lr_mult
        self.history, self.span, self.heads = history, span, heads
        self.scale = 1 / math.sqrt(width // heads) if scale == "sqrt" else 1.0
        if not value_gate:
            self.gate = "none"
        self.readers = sites + 1 if final == "dedicated" else sites
        ones = torch.ones(self.readers, width)
        if gain:
            self.gain = nn.Parameter(ones)
        else:
            self.register_buffer("gain", ones, persistent=False)
        if query == "dynamic":
            self.w_q = nn.Parameter(torch.zeros(self.readers, width, width))
        else:
            self.w = nn.Parameter(torch.zeros(self.readers, width))
        if query == "static_t":
            self.conditioner = CONDITIONERS[t_source](self.readers, width)

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State(x, (source(x),), self._queries(cond).unbind())

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        query = state.queries[min(site, self.readers - 1)]
        if self.query == "dynamic":
            query = nn.functional.linear(state.last, query)
        seen = WINDOWS[self.history].select(tuple(range(len(state.sources))), site, self.span)
        sources = [state.sources[i] for i in seen]
        h, read = depth_attention(query, sources, self.scale, self.heads)
        kept = list(state.sources)
        for i, s in zip(seen, read, strict=True):
            kept[i] = s
        return h, state._replace(sources=tuple(kept))

    def write(self, state: State, site: int, v: Tensor) -> State:
        grow = WINDOWS[self.history].grow
        sources = grow(state.sources, source(v), site, self.span, self.sites)
        return State(v, sources, state.queries)

    def _queries(self, cond: Cond) -> Tensor:
        """The queries of all readers, times the key's gain: q . (gain k) = (gain q) . k."""
        if self.query == "static":
            return self.gain * self.w  # (R, D)
        if self.query == "static_t":
            conditioned = self.conditioner(self.w, cond)  # (R, B, D)
            return (self.gain.unsqueeze(1) * conditioned).unsqueeze(-2)  # (R, B, 1, D)
        return self.gain.unsqueeze(-1) * self.w_q  # (R, D, D)

    @property
    def equals_add(self) -> Literal["strong", "weak", "no"]:
        if self.gate == "none":
            return "no"
        static = self.query != "static_t" or self.conditioner.starts_static
        partition = partitions(self.history, self.span, self.sites)
        return "strong" if partition and static else "weak"

    @property
    def conditioned_on(self) -> frozenset[str]:
        return self.conditioner.depends_on if self.query == "static_t" else frozenset()

    def sources(self, site: int) -> set[int]:
        seen = source_sets(self.history, self.span, self.sites)[site]
        return {i for part in seen for i in part}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return reader_groups(self, self.lr_mult)

    def elementwise_flops(self, tokens: int) -> int:
        return reader_flops(self.history, self.span, self.sites) * tokens * self.width
