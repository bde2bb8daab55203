"""Paths between noise x_0 at t = 0 and data x_1 at t = 1  (SiT, arXiv:2401.08740, section 2).

The paper counts time the other way round; the direction here is that of its code.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from darbench.records.rules import MARGIN


class Point(NamedTuple):
    """A point of a path: x_t = alpha x_1 + sigma x_0 and v = alpha' x_1 + sigma' x_0.

    The two lines give x_1 and x_0 back wherever W = alpha' sigma - alpha sigma' is not 0, which
    holds within all of (0, 1); being linear, they hold for the means given x_t just as well. So
    velocity, noise and score are one function in three forms.
    Each coefficient is of shape (B, 1, ...), to multiply x (B, ...).
    """

    alpha: Tensor
    sigma: Tensor
    d_alpha: Tensor
    d_sigma: Tensor

    def x(self, x0: Tensor, x1: Tensor) -> Tensor:
        return self.alpha * x1 + self.sigma * x0

    def velocity(self, x0: Tensor, x1: Tensor) -> Tensor:
        return self.d_alpha * x1 + self.d_sigma * x0

    @property
    def wronskian(self) -> Tensor:
        """W: 1 on the linear path, pi / 2 on GVP."""
        return self.d_alpha * self.sigma - self.alpha * self.d_sigma

    @property
    def drift_variance(self) -> Tensor:
        """D = sigma W / alpha, of v = (alpha' / alpha) x + D score: beta_t / 2 on VP."""
        return self.sigma * self.wronskian / self.alpha

    def noise_from_velocity(self, v: Tensor, x: Tensor) -> Tensor:
        """x_0 = (alpha' x - alpha v) / W."""
        return (self.d_alpha * x - self.alpha * v) / self.wronskian

    def score_from_velocity(self, v: Tensor, x: Tensor) -> Tensor:
        """-x_0 / sigma, singular at t = 1."""
        return -self.noise_from_velocity(v, x) / self.sigma

    def data_from_velocity(self, v: Tensor, x: Tensor) -> Tensor:
        """x_1 = (sigma v - sigma' x) / W."""
        return (self.sigma * v - self.d_sigma * x) / self.wronskian

    def velocity_from_noise(self, noise: Tensor, x: Tensor) -> Tensor:
        """(alpha' x - W x_0) / alpha, singular where alpha = 0."""
        return (self.d_alpha * x - self.wronskian * noise) / self.alpha

    def velocity_from_data(self, data: Tensor, x: Tensor, least: float = 0.0) -> Tensor:
        """(W x_1 + sigma' x) / sigma, singular at t = 1.

        Where sigma is below `least` that is divided by, so it is `share(least)` of the velocity.
        """
        return (self.wronskian * data + self.d_sigma * x) / self.sigma.clamp_min(least)

    def share(self, least: float) -> Tensor:
        """sigma / max(sigma, least): 1 but near t = 1, where it goes to 0."""
        return self.sigma / self.sigma.clamp_min(least)

    def velocity_from_score(self, score: Tensor, x: Tensor) -> Tensor:
        return self.velocity_from_noise(-self.sigma * score, x)


@dataclass(frozen=True)
class Path:
    """alpha_t, sigma_t and their derivatives, and where they are regular."""

    coefficients: Callable[[Tensor], Point]
    pure_noise: bool  # alpha_0 = 0: at the start x says nothing of the data
    train_end: float  # what training and sampling leave out before t = 1, since the velocity is
    sample_end: float  # infinite there

    def at(self, t: Tensor, x: Tensor) -> Point:
        """The points at the times t (B,), with coefficients to multiply x (B, ...)."""
        return self.coefficients(t.view(-1, *[1] * (x.dim() - 1)))


def linear(t: Tensor) -> Point:
    """alpha = t, sigma = 1 - t."""
    return Point(t, 1 - t, torch.ones_like(t), -torch.ones_like(t))


def gvp(t: Tensor) -> Point:
    """Generalised variance preserving: alpha = sin(pi t / 2), sigma = cos(pi t / 2)."""
    angle, rate = t * (math.pi / 2), math.pi / 2
    alpha, sigma = angle.sin(), angle.cos()
    return Point(alpha, sigma, rate * sigma, -rate * alpha)


BETA_MIN, BETA_MAX = 0.1, 20.0


def vp(t: Tensor) -> Point:
    """Variance preserving: log alpha = -(1 - t)^2 (beta_max - beta_min) / 4 - (1 - t) beta_min / 2
    and sigma^2 = 1 - alpha^2  (Song et al., arXiv:2011.13456, appendix C)."""
    left, slope = 1 - t, BETA_MAX - BETA_MIN
    log_alpha = -(left**2) * slope / 4 - left * BETA_MIN / 2
    alpha, sigma = log_alpha.exp(), (-torch.expm1(2 * log_alpha)).sqrt()
    d_alpha = alpha * (left * slope + BETA_MIN) / 2
    return Point(alpha, sigma, d_alpha, -alpha * d_alpha / sigma)


PATHS: dict[str, Path] = {
    "Linear": Path(linear, pure_noise=True, train_end=0.0, sample_end=0.0),
    "GVP": Path(gvp, pure_noise=True, train_end=0.0, sample_end=0.0),
    "VP": Path(vp, pure_noise=False, train_end=1e-5, sample_end=MARGIN),
}
