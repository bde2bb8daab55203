"""The velocity objective of flow matching, SiT's default."""

from collections.abc import Callable

from torch import Tensor

from darbench.flow.path import interpolate, velocity

VelocityModel = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x, t, label) -> velocity


def velocity_loss(
    model: VelocityModel, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor
) -> Tensor:
    """|model(x_t, t) - (x_1 - x_0)|^2, mean over all but the batch: (B,)."""
    error = model(interpolate(x0, x1, t), t, label) - velocity(x0, x1)
    return error.square().flatten(1).mean(1)
