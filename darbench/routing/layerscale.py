"""LayerScale: every residual branch behind a learnt scale per channel."""

from typing import Literal

import torch
from torch import Tensor, nn

from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


@register("layerscale")
class LayerScale(Routing):
    """LayerScale  (Touvron et al., arXiv:2103.17239, eq. 2), h_l = s_l:

        s_{l+1} = s_l + lambda_l (.) v_l

    State: the stream s (B, T, D).
    Parameters: scale, lambda_l (D,) of each site, all `init` at first. The paper's 0.1, 1e-5 or
    1e-6 by depth belong with one_plus, where v_l carries 1 + gate; on top of adaLN's zero gates
    they would shrink the gates' gradients towards Adam's epsilon.
    """

    paper = "arXiv:2103.17239"
    citation = Paper(
        "Going Deeper with Image Transformers",
        "Touvron, Hugo and Cord, Matthieu and Sablayrolles, Alexandre and Synnaeve, Gabriel and "
        "J{\\'e}gou, Herv{\\'e}",
        2021,
    )
    settings = ({}, {"init": 0.1, "one_plus": True})

    def __init__(
        self,
        sites: int,
        width: int,
        *,
        init: float = 1.0,
        one_plus: bool = False,
        lr_mult: float = 1.0,
    ):
        super().__init__(sites, width)
        if init == 0 and not one_plus:
            raise ValueError("init=0: on adaLN's zero gates it would stay zero; use one_plus=True")
        self.init, self.lr_mult = init, lr_mult
        self.gate = "one_plus" if one_plus else "adaln"
        self.scale = nn.Parameter(torch.full((sites, width), float(init)))

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return x

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        return torch.addcmul(state, self.scale[site], v)  # (eq. 2)

    @property
    def equals_add(self) -> Literal["strong", "weak", "no"]:
        if self.gate == "one_plus":
            return "weak" if self.init == 0 else "no"
        return "strong" if self.init == 1 else "weak"

    def elementwise_flops(self, tokens: int) -> int:
        return 2 * self.sites * tokens * self.width
