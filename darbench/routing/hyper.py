"""Hyper-connections: S parallel residual streams with learnt read, mix and write weights."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.ops.streams import Streams, hyper_connection, read_streams, streams, write_streams
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


class State(NamedTuple):
    streams: Streams  # X: (B, T, S, D)
    # The last site's [A_m | A_r | B], (S, S + 2), dynamic (B, T, S, S + 2), without A_r two
    # columns; and its v, which is written to the streams when the next site reads. Empty at first.
    written: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]  # this site's, kept from its read to its write
    sites: "Weights"


class Weights(NamedTuple):
    """The static weights [A_m | A_r | B] of every site, and the parameters of the dynamic part."""

    rest: tuple[Tensor, ...]  # (S, 1 + S + 1), without A_r (S, 1 + 1)
    size: tuple[Tensor, ...] = ()  # [s_a .. s_a | s_b], one for each column
    product: tuple[Tensor, ...] = ()  # gain [W_a | w_b], (D, columns)


@register("hyper")
class Hyper(Routing):
    """Hyper-connections  (Zhu et al., arXiv:2409.19606, eq. 1-10), output the sum of the streams:

        h_l = sum_s A_m[s] X_s,    X'_t = sum_s A_r[s, t] X_s + B[t] v_l
        dynamic:  [A_m | A_r][s] += s_a tanh(norm(X_s) W_a),   B[s] += s_b tanh(norm(X_s) w_b)

    State: the streams X (B, T, S, D), all v_0 at first, the output that is still to be written to
    them, and weights.
    Parameters, each with a leading sites axis: read A_m (S,), 1 at stream site mod S and 0
    elsewhere (eq. 14); mix A_r (S, S), the identity; write B (S,), ones. Dynamic adds w_a
    (D, S + 1) and w_b (D,), zeros; s_a and s_b, 0.01; the norm's gain (D,), ones. As in the
    paper, the static ones have no weight decay. res=identity fixes A_r to the identity (iHC,
    arXiv:2607.28611) and has none of its parameters.
    Differs from the paper: the norm, unspecified there, is RMSNorm with gain; the output
    matrices are not rescaled by sqrt(S), as every consumer of h starts with a LayerNorm.
    """

    paper = "arXiv:2409.19606"
    citation = Paper(
        "Hyper-Connections",
        "Zhu, Defa and Huang, Hongzhi and Huang, Zihao and Zeng, Yutao and Mao, Yunyao and "
        "Wu, Banggu and Min, Qiyang and Zhou, Xun",
        2024,
    )
    settings = (
        {"dynamic": False, "streams": 1},
        {"dynamic": False, "streams": 2},
        {"dynamic": True, "streams": 4},
        {"dynamic": True, "streams": 2, "tanh": False},
        {"res": "identity"},
        {"res": "identity", "dynamic": False, "streams": 2},
    )
    equals_add = "strong"

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        streams: int = 4,
        dynamic: bool = True,
        res: Literal["full", "identity"] = "full",
        tanh: bool = True,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        if streams < 1:
            raise ValueError(f"streams={streams}: must be at least 1")
        self.streams, self.dynamic, self.lr_mult = streams, dynamic, lr_mult
        self.identity, self.tanh = res == "identity", tanh
        eye = torch.eye(streams)
        self.read_weight = nn.Parameter(eye[torch.arange(sites) % streams])  # (eq. 14)
        if not self.identity:
            self.mix_weight = nn.Parameter(eye.repeat(sites, 1, 1))  # (eq. 14)
        self.write_weight = nn.Parameter(torch.ones(sites, streams))  # (eq. 14)
        if dynamic:
            columns = 1 if self.identity else 1 + streams
            self.w_a = nn.Parameter(torch.zeros(sites, width, columns))
            self.w_b = nn.Parameter(torch.zeros(sites, width))
            self.s_a = nn.Parameter(torch.full((sites,), 0.01))
            self.s_b = nn.Parameter(torch.full((sites,), 0.01))
            self.gain = nn.Parameter(torch.ones(sites, width))

    def begin(self, x: Tensor, cond: Cond) -> State:
        copies = x.unsqueeze(-2).expand(-1, -1, self.streams, -1)
        return State(streams(copies), (), (), self._weights())

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        if site == self.sites:
            return self._written(state).value.sum(-2), state
        return self._connect(state, site)

    def write(self, state: State, site: int, v: Tensor) -> State:
        if not state.weights:  # without a read of this site
            _, state = self._connect(state, site)
        return state._replace(written=(*state.weights, v), weights=())

    def _weights(self) -> Weights:
        mix = () if self.identity else (self.mix_weight,)
        columns = (self.read_weight.unsqueeze(-1), *mix, self.write_weight.unsqueeze(-1))
        rest = torch.cat(columns, dim=-1).unbind()
        if not self.dynamic:
            return Weights(rest)
        size = torch.cat(
            [self.s_a.unsqueeze(-1).expand(-1, self.w_a.shape[-1]), self.s_b.unsqueeze(-1)], dim=-1
        )
        product = self.gain.unsqueeze(-1) * torch.cat([self.w_a, self.w_b.unsqueeze(-1)], dim=-1)
        return Weights(rest, size.unbind(), product.unbind())

    def _connect(self, state: State, site: int) -> tuple[Tensor, State]:
        """Write the output of the last site, compute the weights of this one, and read."""
        rest = weights = state.sites.rest[site]
        if self.dynamic:
            size, product = state.sites.size[site], state.sites.product[site]
            written = state.written or None
            h, x, weights = hyper_connection(  # (eq. 1-10)
                state.streams, written, rest, size, product, EPS, squash=self.tanh
            )
        else:
            h, x = read_streams(rest[:, 0], self._written(state))
        return h, State(x, (), (weights,), state.sites)

    def _written(self, state: State) -> Streams:
        """The streams after the write of the last site."""
        if not state.written:
            return state.streams
        weights, v = state.written
        mix = None if self.identity else weights[..., 1:-1].mT
        return write_streams(mix, state.streams, weights[..., -1], v)

    def parameter_groups(self) -> list[dict[str, Any]]:
        static, dynamic = [], []
        for name, parameter in self.named_parameters():
            (static if name.endswith("_weight") else dynamic).append(parameter)
        return [
            {"params": static, "lr_mult": self.lr_mult, "weight_decay": 0.0},
            {"params": dynamic, "lr_mult": self.lr_mult, "weight_decay": None},
        ]

    def elementwise_flops(self, tokens: int) -> int:
        written = 2 * self.sites * self.streams + self.streams  # B v, and the final sum
        normed = 3 * self.sites * self.streams if self.dynamic else 0
        return (written + normed) * tokens * self.width
