"""Hyper-connections: S parallel residual streams with learnt read, mix and write weights."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.streams import mix_streams
from darbench.registry import register
from darbench.routing.base import Cond, Routing

EPS = 1e-6


class State(NamedTuple):
    """The streams, and the weights with which the coming site reads, mixes and writes them.

    The weights have leading axes (B, T) where they depend on the streams, else none.
    """

    streams: Tensor  # X: (B, T, S, D)
    read: Tensor  # A_m: (..., S)
    mix: Tensor | tuple[()]  # A_r: (..., S, S), from stream (rows) to stream (columns)
    write: Tensor  # B: (..., S)


@register("hyper")
class Hyper(Routing):
    """Hyper-connections  (Zhu et al., arXiv:2409.19606, eq. 1-10), output the sum of the streams:

        h_l = sum_s A_m[s] X_s,    X'_t = sum_s A_r[s, t] X_s + B[t] v_l
        dynamic:  [A_m | A_r][s] += s_a tanh(norm(X_s) W_a),   B[s] += s_b tanh(norm(X_s) w_b)

    State: the streams X (B, T, S, D), all v_0 at first.
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
        self, sites: int, width: int, *, streams: int = 4, dynamic: bool = True,
        res: Literal["full", "identity"] = "full", tanh: bool = True, lr_mult: float = 1.0,
    ):  # fmt: skip
        super().__init__(sites, width)
        if streams < 1:
            raise ValueError(f"streams={streams}: must be at least 1")
        self.streams, self.dynamic, self.lr_mult = streams, dynamic, lr_mult
        self.identity = res == "identity"
        self.squash = torch.tanh if tanh else nn.Identity()
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
        return self._state(x.unsqueeze(-2).expand(-1, -1, self.streams, -1), site=0)

    def read(self, state: State, site: int) -> Tensor:
        if site == self.sites:
            return state.streams.sum(-2)
        return mix_streams(state.read.unsqueeze(-2), state.streams).squeeze(-2)

    def write(self, state: State, site: int, v: Tensor) -> State:
        kept = state.streams if self.identity else mix_streams(state.mix.mT, state.streams)
        mixed = kept + state.write.unsqueeze(-1) * v.unsqueeze(-2)
        if site + 1 == self.sites:
            return state._replace(streams=mixed)  # the head only sums them
        return self._state(mixed, site + 1)

    def _state(self, streams: Tensor, site: int) -> State:
        """With the weights of the coming site."""
        read, write = self.read_weight[site], self.write_weight[site]
        mix = () if self.identity else self.mix_weight[site]
        if self.dynamic:
            normed = nn.functional.rms_norm(streams, (self.width,), self.gain[site], EPS)
            a = self.s_a[site] * self.squash(normed @ self.w_a[site])  # (B, T, S, S + 1 or 1)
            b = self.s_b[site] * self.squash(normed @ self.w_b[site])  # (B, T, S)
            read, write = read + a[..., 0], write + b
            mix = () if self.identity else mix + a[..., 1:]
        return State(streams, read, mix, write)

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
        normed = 4 * self.sites * self.streams if self.dynamic else 0
        projected = 2 * self.sites * self.streams if self.dynamic else 0  # a matrix-vector product
        return (written + normed + projected) * tokens * self.width
