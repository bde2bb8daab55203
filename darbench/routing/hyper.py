"""Hyper-connections: S parallel residual streams with learnt read, mix and write weights."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.streams import Streams, hyper_connection, read_streams, streams, write_streams
from darbench.registry import register
from darbench.routing.base import Cond, Routing

EPS = 1e-6


class State(NamedTuple):
    h: Tensor  # what the coming site reads, (B, T, D)
    streams: Streams  # X: (B, T, S, D)
    # [A_m | A_r | B] of the coming site, which mixes and writes with them: (S, S + 2), dynamic
    # (B, T, S, S + 2); without A_r two columns
    weights: Tensor
    sites: "Weights"


class Weights(NamedTuple):
    """Of every site: [A_m | A_r | B] as they are at rest and, dynamic, what is added to them."""

    rest: tuple[Tensor, ...]  # (S, 1 + S + 1), without A_r (S, 1 + 1)
    size: tuple[Tensor, ...] = ()  # [s_a .. s_a | s_b], one for each column
    product: tuple[Tensor, ...] = ()  # gain [W_a | w_b], (D, columns)


@register("hyper")
class Hyper(Routing):
    """Hyper-connections  (Zhu et al., arXiv:2409.19606, eq. 1-10), output the sum of the streams:

        h_l = sum_s A_m[s] X_s,    X'_t = sum_s A_r[s, t] X_s + B[t] v_l
        dynamic:  [A_m | A_r][s] += s_a tanh(norm(X_s) W_a),   B[s] += s_b tanh(norm(X_s) w_b)

    State: what the coming site reads, the streams X (B, T, S, D), all v_0 at first, and weights.
    Parameters, each with a leading sites axis: read A_m (S,), 1 at stream site mod S and 0
    elsewhere (eq. 14); mix A_r (S, S), the identity; write B (S,), ones. Dynamic adds w_a
    (D, S + 1) and w_b (D,), zeros; s_a and s_b, 0.01; the norm's gain (D,), ones. As in the
    paper, the static ones have no weight decay. res=identity fixes A_r to the identity (iHC,
    arXiv:2607.28611) and has none of its parameters.
    Differs from the paper: the norm, unspecified there, is RMSNorm with gain; the output
    matrices are not rescaled by sqrt(S), as every consumer of h starts with a LayerNorm.
    """

    paper = "arXiv:2409.19606"

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
        self.read_weight = nn.Parameter(eye[torch.arange(sites) % streams])
        if not self.identity:
            self.mix_weight = nn.Parameter(eye.repeat(sites, 1, 1))
        self.write_weight = nn.Parameter(torch.ones(sites, streams))
        if dynamic:
            columns = 1 if self.identity else 1 + streams
            self.w_a = nn.Parameter(torch.zeros(sites, width, columns))
            self.w_b = nn.Parameter(torch.zeros(sites, width))
            self.s_a = nn.Parameter(torch.full((sites,), 0.01))
            self.s_b = nn.Parameter(torch.full((sites,), 0.01))
            self.gain = nn.Parameter(torch.ones(sites, width))

    def begin(self, x: Tensor, cond: Cond) -> State:
        copies = x.unsqueeze(-2).expand(-1, -1, self.streams, -1)
        return self._connect(streams(copies), None, self._weights(), site=0)

    def read(self, state: State, site: int) -> Tensor:
        return state.h

    def write(self, state: State, site: int, v: Tensor) -> State:
        if site + 1 < self.sites:
            return self._connect(state.streams, (state.weights, v), state.sites, site + 1)
        written = self._write(state.streams, state.weights, v)
        return state._replace(h=written.value.sum(-2), streams=written)  # the head only sums them

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

    def _connect(
        self, x: Streams, written: tuple[Tensor, Tensor] | None, weights: Weights, site: int
    ) -> State:
        """Write what the last site handed over, then find what the coming one reads."""
        rest = weights.rest[site]
        if self.dynamic:
            size, product = weights.size[site], weights.product[site]
            return State(
                *hyper_connection(x, written, rest, size, product, EPS, squash=self.tanh), weights
            )
        if written is not None:
            x = self._write(x, *written)
        h, x = read_streams(rest[:, 0], x)
        return State(h, x, rest, weights)

    def _write(self, x: Streams, weights: Tensor, v: Tensor) -> Streams:
        mix = None if self.identity else weights[..., 1:-1].mT
        return write_streams(mix, x, weights[..., -1], v)

    @property
    def equals_add(self) -> Literal["strong"]:
        return "strong"

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
