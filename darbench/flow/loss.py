"""The objectives of SiT: regress a velocity, a noise or a score along a path."""

from collections.abc import Callable

from torch import Tensor

from darbench.flow.path import PATHS, Path, Point
from darbench.flow.prediction import PREDICTIONS, WEIGHTINGS, Prediction

Model = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x, t, label) -> what it predicts
VelocityModel = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x, t, label) -> velocity


def velocity_loss(
    model: VelocityModel,
    x1: Tensor,
    label: Tensor,
    x0: Tensor,
    t: Tensor,
    path: Path = PATHS["Linear"],
) -> Tensor:
    """|model(x_t, t) - v|^2, mean over all but the batch: (B,)."""
    return prediction_loss(model, x1, label, x0, t, path, PREDICTIONS["velocity"])


def prediction_loss(
    model: Model,
    x1: Tensor,
    label: Tensor,
    x0: Tensor,
    t: Tensor,
    path: Path,
    prediction: Prediction,
    weight: Callable[[Point], Tensor | float] = WEIGHTINGS["none"],
) -> Tensor:
    """w_t |error|^2, mean over all but the batch: (B,)."""
    point = path.at(t, x1)
    error = prediction.error(point, model(point.x(x0, x1), t, label), x0, x1)
    return (weight(point) * error.square()).flatten(1).mean(1)
