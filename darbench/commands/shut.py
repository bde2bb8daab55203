"""A control that must do worse than `add`: half of the model does nothing."""

from torch import Tensor

from darbench.registry import register
from darbench.routing.base import Cond, Routing


@register("shut")
class Shut(Routing):
    """`add` whose gates are frozen shut in the upper half of the sites:

        h_{l+1} = h_l + v_l   for l < N / 2,   h_{l+1} = h_l + 0 v_l   after that

    It costs what add costs, for the upper sublayers still run and get gradients of zero, and must
    do worse: a task that does not resolve the two resolves nothing. It is not a built-in routing,
    for it breaks their contract: its upper sublayers learn nothing.

    State: the stream h (B, T, D). No parameters.
    """

    def begin(self, x: Tensor, cond: Cond) -> Tensor:
        return x

    def read(self, state: Tensor, site: int) -> Tensor:
        return state

    def write(self, state: Tensor, site: int, v: Tensor) -> Tensor:
        return state + (v if site < self.sites // 2 else 0 * v)

    def elementwise_flops(self, tokens: int) -> int:
        return self.sites * tokens * self.width
