"""U-Net skips: late blocks also read the stream after the early block that mirrors them."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


class State(NamedTuple):
    stream: Tensor  # s, (B, T, D)
    skips: tuple[Tensor, ...]  # the stream after blocks 0, 1, .. that are still to be read


def partners(depth: int, pairs: Literal["all", "outer"] = "all") -> dict[int, int]:
    """Return a map from block j to the earlier block whose output it fuses, counted from 0.

    Even depths are paired as in HunyuanDiT, where two middle blocks have no partner, odd depths
    as in U-ViT, where one has none; below depth 4 there are no pairs. `outer` keeps the outer
    half of the pairs.
    """
    if depth < 4:
        return {}
    first = depth // 2 + 1  # the first block with a partner, in both schemes
    mirror = {j: depth - 1 - j for j in range(first, depth)}
    if pairs == "outer":
        mirror = {j: m for j, m in mirror.items() if m < (len(mirror) + 1) // 2}
    return mirror


@register("unet")
class UNet(Routing):
    """Long skips  (U-ViT: Bao et al., arXiv:2209.12152; pairs of HunyuanDiT, arXiv:2405.08748):

        before block j:  s <- W_j [s ; o_m] + b_j,   m = depth - 1 - j,   o_m = s after block m

    and `add` inside a block. fusion=add instead takes s <- s + lambda_j o_m.

    State: the stream and the outputs still to be read.
    Parameters, each with a leading axis of pairs: w (D, 2 D), at first [I, 0] (identity, which is
    `add` exactly), xavier, or N(0, 0.02) truncated at 2 standard deviations (trunc002); b (D,),
    zeros; with skip_norm the LayerNorm(2 D) before it, 1 and 0. fusion=add: lambda, zeros.
    Differs from the papers: the identity start is ours. U-ViT has N(0, 0.02), whose truncation at
    an absolute 2 cuts nothing; HunyuanDiT has xavier with skip_norm.
    """

    paper = "arXiv:2209.12152"
    citation = Paper(
        "All are Worth Words: A ViT Backbone for Diffusion Models",
        "Bao, Fan and Nie, Shen and Xue, Kaiwen and Cao, Yue and Li, Chongxuan and Su, Hang and "
        "Zhu, Jun",
        2022,
    )
    settings = (
        {},
        {"init": "xavier", "skip_norm": True},
        {"init": "identity", "skip_norm": True},
        {"fusion": "add", "pairs": "outer"},
    )

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        fusion: Literal["linear", "add"] = "linear",
        init: Literal["identity", "xavier", "trunc002"] = "identity",
        skip_norm: bool = False,
        pairs: Literal["all", "outer"] = "all",
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        self.fusion, self.init, self.skip_norm, self.lr_mult = fusion, init, skip_norm, lr_mult
        self.partners = partners(sites // 2, pairs)
        self.order = {block: i for i, block in enumerate(self.partners)}
        count = len(self.partners)
        if fusion == "add":
            self.scale = nn.Parameter(torch.zeros(count))
            return
        self.w = nn.ParameterList(_initial(init, width) for _ in range(count))
        self.b = nn.Parameter(torch.zeros(count, width))
        if skip_norm:
            self.norm = nn.ModuleList(nn.LayerNorm(2 * width, eps=EPS) for _ in range(count))

    def begin(self, x: Tensor, cond: Cond) -> State:
        return State(x, ())

    def read(self, state: State, site: int) -> Tensor:
        return state.stream

    def write(self, state: State, site: int, v: Tensor) -> State:
        stream, skips = state.stream + v, state.skips
        closed, inside = divmod(site + 1, 2)  # closed blocks, and whether one is open
        if inside:
            return State(stream, skips)
        if closed - 1 in self.partners.values():
            skips = (*skips, stream)
        if closed in self.partners:  # the last skip is the partner: the blocks mirror each other
            stream, skips = self._fuse(stream, skips[-1], self.order[closed]), skips[:-1]
        return State(stream, skips)

    def _fuse(self, stream: Tensor, skip: Tensor, pair: int) -> Tensor:
        if self.fusion == "add":
            return stream + self.scale[pair] * skip
        both = torch.cat([stream, skip], dim=-1)
        if self.skip_norm:
            both = self.norm[pair](both)
        fused = nn.functional.linear(both, self.w[pair], self.b[pair])
        return fused.to(stream.dtype)  # or later sums would be in the precision of autocast

    @property
    def equals_add(self) -> Literal["strong", "weak", "no"]:
        identity = self.fusion == "add" or (self.init == "identity" and not self.skip_norm)
        if identity or not self.partners:
            return "strong"
        return "weak" if self.init == "identity" else "no"  # [v_0; v_0] normed is v_0 normed

    def elementwise_flops(self, tokens: int) -> int:
        per_pair = {"add": 2, "linear": 14 if self.skip_norm else 0}[self.fusion]
        return (self.sites + per_pair * len(self.partners)) * tokens * self.width


def _initial(init: str, width: int) -> Tensor:
    w = torch.zeros(width, 2 * width)
    if init == "identity":
        return torch.cat([torch.eye(width), torch.zeros(width, width)], dim=1)
    if init == "xavier":
        return nn.init.xavier_uniform_(w)
    return nn.init.trunc_normal_(w, std=0.02, a=-0.04, b=0.04)
