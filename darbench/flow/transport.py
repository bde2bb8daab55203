"""A flow as it is trained and sampled: what the network predicts along its path, its loss, and the
times it covers  (SiT, Ma et al., arXiv:2401.08740)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from darbench.flow.path import PATHS, Path, Point
from darbench.model.sit import SiT
from darbench.records.rules import MARGIN

Network = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x, t, label) -> what it predicts
VelocityModel = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x, t, label) -> velocity
Span = tuple[float, float]  # first and last t


# The least sigma that a predicted x_1 is divided by, and the time before t = 1 that is left to it
# (JiT, arXiv:2511.13720, whose denominators 1 - t are clipped at 0.05).
CLIP = 0.05


class Prediction(NamedTuple):
    """A network's output, read as one of four forms of the same function."""

    error: Callable[[Point, Tensor, Tensor, Tensor], Tensor]  # (point, output, x0, x1)
    velocity: Callable[[Point, Tensor, Tensor], Tensor]  # (point, output, x)
    singular: bool  # the conversion to a velocity divides by zero at an end of a path
    share: Callable[[Point], Tensor | float] = lambda point: 1.0  # of the velocity that it gives
    last: float = 0.0  # the time before t = 1 that sampling takes in one step, to x_1 itself


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
    # The loss is that of the velocity, and so is not to be weighted.
    "data": Prediction(
        error=lambda point, out, x0, x1: (
            point.wronskian / point.sigma.clamp_min(CLIP) * (out - x1)
        ),
        velocity=lambda point, out, x: point.velocity_from_data(out, x, CLIP),
        singular=False,
        share=lambda point: point.share(CLIP),
        last=CLIP,
    ),
}

# Factors of the squared error of a noise or a score. "velocity" turns it into the squared error of
# the velocity that they stand for; "likelihood" into a bound on the likelihood of the SDE with
# w = D (Song et al., arXiv:2101.09258), up to a factor.
WEIGHTINGS: dict[str, Callable[[Point], Tensor | float]] = {
    "none": lambda point: 1.0,
    "velocity": lambda point: (point.drift_variance / point.sigma) ** 2,
    "likelihood": lambda point: point.drift_variance / point.sigma**2,
}


@dataclass(frozen=True)
class Transport:
    """The transport of SiT; by default it is linear and predicts velocities.

    Times near the ends are left out where a conversion is singular: before t = 1 on VP, whose
    velocity is infinite there, and at both ends where a noise or a score is made a velocity, but
    for the start of VP, where alpha is not 0. The margins are the official ones. The official
    code takes its default for sampling only where none is given for training; here they are
    independent.

    A predicted x_1 gives v = (W x_1 + sigma' x) / sigma, which is clipped near t = 1: divided by
    max(sigma, CLIP) it is the share sigma / max(sigma, CLIP) of the velocity. Training covers all
    times so; sampling takes the last CLIP of time in one step, to the predicted x_1 itself, for a
    velocity of which a share is missing would stop before the data.
    """

    path: Path = PATHS["Linear"]
    prediction: Prediction = PREDICTIONS["velocity"]
    weight: Callable[[Point], Tensor | float] = WEIGHTINGS["none"]

    def loss(self, network: Network, x1: Tensor, label: Tensor, x0: Tensor, u: Tensor) -> Tensor:
        """The training loss of each sample, (B,), at t = `time(u)`; u (B,) in [0, 1)."""
        return self.loss_at(network, x1, label, x0, self.time(u))

    def loss_at(
        self, network: Network, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor
    ) -> Tensor:
        """The weighted squared error w_t |error|^2, its mean over all but the batch, (B,).

        By default it is |v(x_t, t) - (x_1 - x_0)|^2 at x_t = t x_1 + (1 - t) x_0.
        """
        point = self.path.at(t, x1)
        error = self.prediction.error(point, network(point.x(x0, x1), t, label), x0, x1)
        return (self.weight(point) * error.square()).flatten(1).mean(1)

    def velocity_loss(
        self, network: Network, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor
    ) -> Tensor:
        """The squared error of the network's velocity, (B,), unweighted: whatever the network
        predicts, these losses compare.

        But for `data` near t = 1: where sigma < CLIP its velocity is held against the same share
        of the true one, or a network that always gives x_1 would have a loss. With
        s = sigma / max(sigma, CLIP) the error is s (v - v*) = W / max(sigma, CLIP) (out - x_1),
        that of training. There the loss is s^2 times what a velocity of that error has.
        """
        point = self.path.at(t, x1)
        v = self.velocity(network)(point.x(x0, x1), t, label)
        error = v - self.prediction.share(point) * point.velocity(x0, x1)
        return error.square().flatten(1).mean(1)

    def time(self, u: Tensor) -> Tensor:
        """The time t in the training span for u in [0, 1]."""
        start, end = self.train_span
        return start + (end - start) * u

    def velocity(self, network: Network) -> VelocityModel:
        """The network's velocity, whatever it predicts."""

        def v(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
            return self.prediction.velocity(self.path.at(t, x), network(x, t, label), x)

        return v

    @property
    def train_span(self) -> Span:
        """The times that training draws from."""
        return self._span(self.path.train_end)

    @property
    def sample_span(self) -> Span:
        """The times that the ODE is integrated over."""
        return self._span(max(self.path.sample_end, self.prediction.last))

    def sde_span(self, singular_start: bool, last_step: float) -> Span:
        """The times of the SDE up to its last step, which covers the rest; without a last step the
        score's singularity at t = 1 is left out, and where the velocity is clipped that time.

        singular_start: the diffusion is infinite where alpha = 0, as SBDM is. With velocities the
        official code keeps both ends, and divides by zero there.
        """
        start = MARGIN if singular_start and self.path.pure_noise else self._start
        return start, 1 - max(last_step or MARGIN, self.prediction.last)

    def _span(self, end: float) -> Span:
        return self._start, 1 - (MARGIN if self.prediction.singular and not end else end)

    @property
    def _start(self) -> float:
        return MARGIN if self.prediction.singular and self.path.pure_noise else 0.0


DEFAULT = Transport()


class Objective(nn.Module):
    """What a training step minimises; here the flow's loss alone.

    A subclass adds a term. It may hold modules that learn with the model but are no part of it:
    the model's average, its samples and its parameter count leave them out.
    """

    def __init__(self, transport: Transport):
        super().__init__()
        self.transport = transport

    def forward(self, model: SiT, x1: Tensor, label: Tensor, x0: Tensor, u: Tensor) -> Tensor:
        """The loss of each sample, (B,); u (B,) is uniform in [0, 1)."""
        return self.transport.loss(model, x1, label, x0, u)

    def step_flops(self, batch: int, shape: tuple[int, int, int]) -> float:
        """Training FLOPs of a step beyond those of the model, whatever its routing."""
        return 0.0
