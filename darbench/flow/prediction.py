"""What the network predicts, and how its training error is weighted  (SiT, arXiv:2401.08740)."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from darbench.flow.path import Point


class Prediction(NamedTuple):
    """A network's output read as one of the three forms of the same function."""

    error: Callable[[Point, Tensor, Tensor, Tensor], Tensor]  # (point, output, x0, x1)
    velocity: Callable[[Point, Tensor, Tensor], Tensor]  # (point, output, x)
    singular: bool  # the conversion to a velocity is, at the ends of a path


PREDICTIONS: dict[str, Prediction] = {
    "velocity": Prediction(
        error=lambda point, out, x0, x1: out - point.velocity(x0, x1),
        velocity=lambda point, out, x: out,
        singular=False,
    ),
    "noise": Prediction(
        error=lambda point, out, x0, x1: out - x0,
        velocity=lambda point, out, x: point.velocity_from_noise(out, x),
        singular=True,
    ),
    "score": Prediction(
        error=lambda point, out, x0, x1: point.sigma * out + x0,
        velocity=lambda point, out, x: point.velocity_from_score(out, x),
        singular=True,
    ),
}

# Of the squared error of a noise or a score. With "velocity" it is that of the velocity they
# stand for; with "likelihood" it bounds the likelihood of the SDE with w = D
# (Song et al., arXiv:2101.09258), up to a factor.
WEIGHTINGS: dict[str, Callable[[Point], Tensor | float]] = {
    "none": lambda point: 1.0,
    "velocity": lambda point: (point.drift_variance / point.sigma) ** 2,
    "likelihood": lambda point: point.drift_variance / point.sigma**2,
}
