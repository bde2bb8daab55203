"""The sampler that an evaluation asks for, ODE or SDE, as one kind of function."""

from collections.abc import Callable

from torch import Tensor

from darbench.flow import sde
from darbench.flow.samplers import SAMPLERS, Velocity, at_time
from darbench.flow.transport import Transport
from darbench.records.settings import Evaluation

Sampler = Callable[[Velocity, Tensor, sde.Noise], Tensor]  # (v, x_0, noise) -> x_1


def make_sampler(evaluation: Evaluation, transport: Transport) -> Sampler:
    """The sampler of an evaluation; an ODE sampler makes no use of the noise of the steps."""
    if evaluation.sampler in SAMPLERS:
        solve, steps = SAMPLERS[evaluation.sampler], evaluation.sampler_steps
        span = transport.sample_span
        return lambda v, x, noise: _arrived(v, solve(v, x, steps, span), transport)
    chosen = evaluation.sde
    last = 0.0 if chosen.last_step == "none" else chosen.last_step_size
    span = transport.sde_span(singular_start=chosen.form == "SBDM", last_step=last)

    def sample(v: Velocity, x: Tensor, noise: sde.Noise) -> Tensor:
        dynamics = sde.SDE(v, transport.path, sde.DIFFUSIONS[chosen.form], chosen.norm)
        return sde.integrate(
            dynamics,
            x,
            noise,
            steps=evaluation.sampler_steps,
            span=span,
            step=evaluation.sampler,
            last_step=chosen.last_step,
        )

    return sample


def _arrived(v: Velocity, x: Tensor, transport: Transport) -> Tensor:
    """x at t = 1: where a prediction of x_1 leaves time for it, the x_1 that v stands for.

    That is one evaluation more; in JiT (arXiv:2511.13720) the last step is Euler's instead, which
    ends there as well.
    """
    if not transport.prediction.last:
        return x
    t = at_time(x, transport.sample_span[1])
    return transport.path.at(t, x).data_from_velocity(v(x, t), x)
