"""Plain residual addition, the baseline of SiT and DiT."""

from torch import Tensor

from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


@register("add")
class Add(Routing):
    """h_l = v_0 + v_1 + ... + v_{l-1}  (He et al., arXiv:1512.03385).

    State: the running sum (B, T, D). No parameters.
    """

    paper = "arXiv:1512.03385"
    citation = Paper(
        "Deep Residual Learning for Image Recognition",
        "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        2015,
    )
    equals_add = "strong"

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return x

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        return state + v

    def elementwise_flops(self, tokens: int) -> int:
        return self.sites * tokens * self.width
