"""The timestep embedding itself, DAR's own form."""

from torch import Tensor

from darbench.routing.base import Cond
from darbench.routing.conditioners.base import Conditioner, conditioner


@conditioner("reuse")
class Reuse(Conditioner):
    """q_l = w_l + t  (arXiv:2605.20708). No parameters.

    The paper starts t from zero: set the model's zero_t_embed for that.
    """

    starts_static = False

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        return w.unsqueeze(1) + cond.t
