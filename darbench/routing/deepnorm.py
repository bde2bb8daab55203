"""DeepNorm: post-norm residuals with an up-weighted stream."""

from torch import Tensor, nn

from darbench.ops.norm import EPS
from darbench.registry import register
from darbench.routing.base import Cond, Paper, Routing


@register("deepnorm")
class DeepNorm(Routing):
    """DeepNorm  (Wang et al., arXiv:2203.00555, eq. 2):

        s_{l+1} = LN(alpha s_l + v_l),   s_1 = LN(v_0),   h_l = s_l

    alpha = (2 depth)^(1/4), the paper's value for an encoder, unless given.

    State: the stream s (B, T, D), of unit scale. No parameters.
    Differs from the paper: the norm has no affine part, the sublayers keep SiT's own norms, and
    the trunk's initial values are not scaled by beta, so that all variants start alike.
    """

    paper = "arXiv:2203.00555"
    citation = Paper(
        "DeepNet: Scaling Transformers to 1,000 Layers",
        "Wang, Hongyu and Ma, Shuming and Dong, Li and Huang, Shaohan and Zhang, Dongdong and "
        "Wei, Furu",
        2022,
    )
    equals_add = "weak"

    def __init__(self, sites: int, width: int, *, alpha: float | None = None):
        super().__init__(sites, width)
        if alpha is not None and alpha <= 0:
            raise ValueError(f"alpha={alpha}: must be positive")
        self.alpha = sites**0.25 if alpha is None else alpha

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return self._norm(x)

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        return self._norm(self.alpha * state + v)  # (eq. 2)

    def _norm(self, s: Tensor) -> Tensor:
        return nn.functional.layer_norm(s, (self.width,), eps=EPS)

    def elementwise_flops(self, tokens: int) -> int:
        norms = 5 * (self.sites + 1)  # mean, difference, square, mean of squares, product
        return (norms + 2 * self.sites) * tokens * self.width
