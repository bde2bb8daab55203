"""Data x_1 ~ N(m, s^2), for which the velocity of every path is known."""

from torch import Tensor

from darbench.flow.path import Path

MEAN, SCALE = 0.7, 0.6


def moments(path: Path, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of x_t."""
    p = path.at(t, x)
    return p.alpha * MEAN, (p.alpha * SCALE) ** 2 + p.sigma**2


def velocity(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """E[v | x_t], by linear regression of v on x_t."""
    p = path.at(t, x)
    mean, variance = moments(path, t, x)
    covariance = p.d_alpha * p.alpha * SCALE**2 + p.d_sigma * p.sigma
    return p.d_alpha * MEAN + covariance / variance * (x - mean)
