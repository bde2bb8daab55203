"""ODE samplers: integrate dx/dt = v(x, t) from noise at t = 0 to data at t = 1.

`steps` counts steps; the official SiT script counts the points between them, one more.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from darbench.flow.transport import Span, VelocityModel
from darbench.records.rules import ADAPTIVE_ATOL, ADAPTIVE_RTOL

Velocity = Callable[[Tensor, Tensor], Tensor]  # (x, t (B,)) -> v


def euler(v: Velocity, x: Tensor, steps: int, span: Span = (0.0, 1.0)) -> Tensor:
    """Euler's method, x += h v(x, t): `steps` evaluations, first order."""
    start, end = span
    h = (end - start) / steps
    for k in range(steps):
        x = x + h * v(x, at_time(x, start + k * h))
    return x


def heun(v: Velocity, x: Tensor, steps: int, span: Span = (0.0, 1.0)) -> Tensor:
    """Heun's method, x += h/2 (v(x, t) + v(x + h v, t + h)): 2 `steps` evaluations, order 2."""
    start, end = span
    h = (end - start) / steps
    for k in range(steps):
        slope = v(x, at_time(x, start + k * h))
        ahead = v(x + h * slope, at_time(x, start + (k + 1) * h))
        x = x + h / 2 * (slope + ahead)
    return x


def adaptive(
    v: Velocity,
    x: Tensor,
    steps: int,
    span: Span = (0.0, 1.0),
    rtol: float = ADAPTIVE_RTOL,
    atol: float = ADAPTIVE_ATOL,
) -> Tensor:
    """torchdiffeq's dopri5 with the official SiT's tolerances; `steps` is not used.

    The step size depends on the whole batch, and so does the result, within the tolerances. The
    result is NaN where no step is small enough, as in fields that diverge.
    """
    from torchdiffeq import odeint

    ends = torch.tensor(span, device=x.device, dtype=x.dtype)
    try:
        return odeint(lambda t, y: v(y, t.expand(len(y))), x, ends, rtol=rtol, atol=atol)[-1]
    except AssertionError as error:  # torchdiffeq reports both cases by one
        if not any(sign in str(error) for sign in ("underflow in dt", "non-finite values")):
            raise
        return torch.full_like(x, math.nan)


SAMPLERS: dict[str, Callable[[Velocity, Tensor, int, Span], Tensor]] = {
    "euler": euler,
    "heun": heun,
    "adaptive": adaptive,
}


def guided(model: VelocityModel, label: Tensor, null: int, scale: float) -> Velocity:
    """Classifier-free guidance (Ho and Salimans, arXiv:2207.12598): v_u + scale (v_c - v_u).

    All channels are guided; the official SiT script leaves the fourth latent channel unguided.
    With scale 1 it is the conditional model and costs one evaluation.
    """
    if scale == 1:
        return lambda x, t: model(x, t, label)
    both = torch.cat([label, torch.full_like(label, null)])

    def v(x: Tensor, t: Tensor) -> Tensor:
        conditional, unconditional = model(x.repeat(2, 1, 1, 1), t.repeat(2), both).chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return v


def at_time(x: Tensor, t: float) -> Tensor:
    """The time t for every sample of x, (B,)."""
    return torch.full((len(x),), t, device=x.device, dtype=x.dtype)
