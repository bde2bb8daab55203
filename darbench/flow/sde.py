"""SDE samplers: from noise at t = 0 to data at t = 1 by the stochastic dynamics of SiT."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from darbench.flow.path import Path, Point
from darbench.flow.samplers import Velocity, at_time
from darbench.flow.transport import Span

Noise = Callable[[int], Tensor]  # step, counted from 0 -> standard normal, of the shape of x

# w_t of the official code, which is half the w_t of the paper; t is of the shape of a coefficient.
DIFFUSIONS: dict[str, Callable[[Tensor, Point], Tensor]] = {
    "constant": lambda t, point: torch.ones_like(t),
    "SBDM": lambda t, point: point.drift_variance,
    "sigma": lambda t, point: point.sigma,
    "linear": lambda t, point: 1 - t,
    "decreasing": lambda t, point: ((math.pi * t).cos() + 1) ** 2 / 4,
    "increasing-decreasing": lambda t, point: (math.pi * t).sin() ** 2,
}


@dataclass(frozen=True)
class SDE:
    """dx = (v + w s) dt + sqrt(2 w) dB with the score s; its marginals are those of dx = v dt for
    every w_t >= 0  (SiT, arXiv:2401.08740, section 2).

    Both v and s come from one evaluation of the network; the official code makes two. It also
    fails on two of its forms: on increasing-decreasing, which it misspells, and on constant, of
    which it takes the root as if it were a tensor. Its norm enters decreasing within the square;
    here it multiplies every form.
    """

    v: Velocity
    path: Path
    form: Callable[[Tensor, Point], Tensor]
    norm: float = 1.0

    def diffusion(self, x: Tensor, t: float) -> Tensor:
        """The diffusion w_t, (B, 1, ...)."""
        times = at_time(x, t)
        point = self.path.at(times, x)
        return self.norm * self.form(times.view_as(point.alpha), point)

    def drift(self, x: Tensor, t: float) -> Tensor:
        """The drift v + w s."""
        v = self.v(x, at_time(x, t))
        score = self.path.at(at_time(x, t), x).score_from_velocity(v, x)
        return v + self.diffusion(x, t) * score


def euler_maruyama(sde: SDE, x: Tensor, t: float, h: float, noise: Tensor) -> Tensor:
    """Euler-Maruyama, x += h (v + w s) + sqrt(2 w h) xi: one evaluation, first weak order."""
    return x + h * sde.drift(x, t) + (2 * h * sde.diffusion(x, t)).sqrt() * noise


def heun(sde: SDE, x: Tensor, t: float, h: float, noise: Tensor) -> Tensor:
    """The noise of the step, then a step of Heun's method along the drift: two evaluations.

    It is of second order in the mean, but of first weak order, since noise and drift take turns.
    """
    x = x + (2 * h * sde.diffusion(x, t)).sqrt() * noise
    slope = sde.drift(x, t)
    ahead = sde.drift(x + h * slope, t + h)
    return x + h / 2 * (slope + ahead)


def tweedie(sde: SDE, x: Tensor, t: float, h: float) -> Tensor:
    """Tweedie's formula, E[x_1 | x_t] = (x + sigma^2 s) / alpha: one evaluation."""
    times = at_time(x, t)
    return sde.path.at(times, x).data_from_velocity(sde.v(x, times), x)


STEPS = {"euler_maruyama": euler_maruyama, "heun_sde": heun}

# The last step, from t to 1 = t + h, without noise.
LAST_STEPS: dict[str, Callable[[SDE, Tensor, float, float], Tensor]] = {
    "Mean": lambda sde, x, t, h: x + h * sde.drift(x, t),
    "Tweedie": tweedie,
    "Euler": lambda sde, x, t, h: x + h * sde.v(x, at_time(x, t)),
    "none": lambda sde, x, t, h: x,
}


def integrate(
    sde: SDE, x: Tensor, noise: Noise, *, steps: int, span: Span, step: str, last_step: str
) -> Tensor:
    """Integrate from x in equal steps over the span, then by the last step up to t = 1.

    The last step is one of the `steps`, as in the official code, whose last step of 0.04 is ten
    times each of its other 249.

    The noise of a step is asked for by the step's number, so the caller can key it by the sample's
    index as well; the official code draws it from the global generator, in the order of the batch.
    """
    start, end = span
    equal = steps if last_step == "none" else steps - 1
    h = (end - start) / equal
    for k in range(equal):
        x = STEPS[step](sde, x, start + k * h, h, noise(k))
    return LAST_STEPS[last_step](sde, x, end, 1 - end)
