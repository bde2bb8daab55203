"""mHC: hyper-connections whose mixing matrices are doubly stochastic."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.ops.sinkhorn import permutations, sinkhorn
from darbench.ops.streams import (
    Streams,
    manifold_maps,
    mix_streams,
    normed_product,
    read_streams,
    streams,
    write_streams,
)
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing

ALPHA = 0.01  # initial size of the dynamic part
PERMUTED = 5  # the most streams for which all permutations are kept


class Maps(NamedTuple):
    read: Tensor  # H_pre: (B, T, S)
    mix: Tensor  # H_res: (B, T, S, S), rows sum to 1
    write: Tensor  # H_post: (B, T, S)


class State(NamedTuple):
    streams: Streams  # X: (B, T, S, D)
    maps: Maps | tuple[()]  # this site's, kept from its read to its write
    # For every site: [b_pre | b_post | b_res], and (a_pre, a_post, a_res)
    bias: tuple[Tensor, ...]
    size: tuple[Tensor, ...]


@register("mhc")
class ManifoldHyper(Routing):
    """Manifold-constrained hyper-connections  (Xie et al., arXiv:2512.24880), x = X flattened:

        H_pre = sigmoid(a_pre xn P_pre + b_pre),   H_post = 2 sigmoid(a_post xn P_post + b_post)
        H_res = Sinkhorn(exp(a_res mat(xn P_res) + b_res)),   xn = RMSNorm(x) over all S D entries
        h_l = H_pre X,    X' = H_res X + H_post^T v_l,    output the sum of the streams

    form=permutations (mHC-lite, arXiv:2601.05732) makes H_res a convex mixture of the S!
    permutation matrices, exactly doubly stochastic.

    State: the streams X, all v_0 at first, and the site's maps, in float32.
    Parameters of every site: p (maps, S D), N(0, p_std); a (3,), 0.01;
    b_pre (S,), 1 at stream site mod S and -1 elsewhere; b_post (S,), zeros, so H_post = 1;
    b_res (S, S), 0 on the diagonal and `off` elsewhere, or (S!,), 0 for the identity and `off`
    for the others.
    Differs from the paper: its initial biases are not known to us; mHC-lite's code has b_post 1 at
    stream site mod S and -1 elsewhere, p zero, and ends Sinkhorn's normalisation on columns. With
    p_std = 0 ours equals `add` exactly, but Adam then keeps the streams merged; the small default
    lets them part.
    """

    paper = "arXiv:2512.24880"
    citation = Paper(
        "mHC: Manifold-Constrained Hyper-Connections",
        "Xie, Zhenda and Wei, Yixuan and Cao, Huanqi and others",
        2025,
    )
    settings = (
        {"p_std": 0.0},
        {"streams": 2, "off": -2.0},
        {"streams": 3, "form": "permutations", "off": -2.0},
    )

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        streams: int = 4,
        form: Literal["sinkhorn", "permutations"] = "sinkhorn",
        iterations: int = 20,
        off: float = -8.0,
        p_std: float = 0.02,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        if streams < 1 or iterations < 1:
            raise ValueError(f"streams={streams}, iterations={iterations}: both at least 1")
        if form == "permutations" and streams > PERMUTED:
            raise ValueError(f"streams={streams}: form=permutations takes at most {PERMUTED}")
        self.streams, self.form, self.iterations = streams, form, iterations
        self.p_std, self.lr_mult = p_std, lr_mult
        own = torch.eye(streams)[torch.arange(sites) % streams]
        res = self._initial_mix(off)
        outputs = 2 * streams + res.numel()
        self.p = nn.ParameterList(
            torch.randn(outputs, streams * width) * p_std for _ in range(sites)
        )
        self.a = nn.Parameter(torch.full((sites, 3), ALPHA))
        self.b_pre = nn.Parameter(2 * own - 1)
        self.b_post = nn.Parameter(torch.zeros(sites, streams))
        self.b_res = nn.Parameter(res.repeat(sites, *[1] * res.dim()))

    def _initial_mix(self, off: float) -> Tensor:
        if self.form == "sinkhorn":
            return off * (1 - torch.eye(self.streams))
        self.register_buffer("vertices", permutations(self.streams), persistent=False)
        res = torch.full((math.factorial(self.streams),), off)
        res[0] = 0.0
        return res

    def begin(self, x: Tensor, cond: Cond) -> State:
        copies = streams(x.unsqueeze(-2).expand(-1, -1, self.streams, -1))
        bias = torch.cat([self.b_pre, self.b_post, self.b_res.flatten(1)], dim=1)
        return State(copies, (), bias.unbind(), self.a.unbind())

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        if site == self.sites:
            return state.streams.value.sum(-2), state
        return self._decide(state, site)

    def write(self, state: State, site: int, v: Tensor) -> State:
        if not state.maps:  # without a read of this site
            _, state = self._decide(state, site)
        written = write_streams(state.maps.mix, state.streams, state.maps.write, v)
        return state._replace(streams=written, maps=())

    def _decide(self, state: State, site: int) -> tuple[Tensor, State]:
        """Compute the maps of this site, and read."""
        raw, x = normed_product(state.streams, self.p[site].mT, EPS)
        read, write, logits = manifold_maps(raw, state.size[site], state.bias[site], self.streams)
        h, x = read_streams(read, x)
        maps = Maps(read, self._mix(logits).to(h.dtype), write)
        return h, state._replace(streams=x, maps=maps)

    def _mix(self, logits: Tensor) -> Tensor:
        if self.form == "sinkhorn":
            return sinkhorn(logits.unflatten(-1, (self.streams, self.streams)), self.iterations)
        weights = torch.softmax(logits, dim=-1)
        mixture = mix_streams(weights, self.vertices.flatten(1))  # in full precision
        return mixture.unflatten(-1, (self.streams, self.streams))

    @property
    def equals_add(self) -> Literal["strong", "weak"]:
        return "strong" if self.p_std == 0 else "weak"

    def elementwise_flops(self, tokens: int) -> int:
        normed, written = 3 * self.streams, 2 * self.streams
        per_site = (normed + written) * self.width
        if self.form == "sinkhorn":
            per_site += 4 * self.iterations * self.streams**2  # two sums, two divisions
        return (self.sites * per_site + self.streams * self.width) * tokens
