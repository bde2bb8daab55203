"""A flow as it is trained and sampled: its path, what is predicted along it, and over which t."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from darbench.flow.loss import Model, VelocityModel, prediction_loss, velocity_loss
from darbench.flow.path import PATHS, Path, Point
from darbench.flow.prediction import PREDICTIONS, WEIGHTINGS, Prediction
from darbench.records.rules import MARGIN

Span = tuple[float, float]  # first and last t


@dataclass(frozen=True)
class Transport:
    """The transport of SiT  (Ma et al., arXiv:2401.08740); by default linear, of velocities.

    Times near the ends are left out where a conversion is singular: before t = 1 on VP, whose
    velocity is infinite there, and at both ends where a noise or a score is made a velocity, but
    for the start of VP, where alpha is not 0. The margins are the official ones. The official
    code takes its default for sampling only where none is given for training; here they are
    independent.
    """

    path: Path = PATHS["Linear"]
    prediction: Prediction = PREDICTIONS["velocity"]
    weight: Callable[[Point], Tensor | float] = WEIGHTINGS["none"]

    def loss(self, model: Model, x1: Tensor, label: Tensor, x0: Tensor, u: Tensor) -> Tensor:
        """Of each sample, (B,), at t = `time(u)`."""
        t = self.time(u)
        return prediction_loss(model, x1, label, x0, t, self.path, self.prediction, self.weight)

    def velocity_loss(
        self, model: Model, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor
    ) -> Tensor:
        """The same of the model's velocity, at t itself: comparable between predictions."""
        return velocity_loss(self.velocity(model), x1, label, x0, t, self.path)

    def time(self, u: Tensor) -> Tensor:
        """t in the training span, from u in [0, 1]."""
        start, end = self.train_span
        return start + (end - start) * u

    def velocity(self, model: Model) -> VelocityModel:
        """The model's velocity, whatever it predicts."""

        def v(x: Tensor, t: Tensor, label: Tensor) -> Tensor:
            return self.prediction.velocity(self.path.at(t, x), model(x, t, label), x)

        return v

    @property
    def train_span(self) -> Span:
        return self._span(self.path.train_end)

    @property
    def sample_span(self) -> Span:
        """Of the ODE."""
        return self._span(self.path.sample_end)

    def sde_span(self, singular_start: bool, last_step: float) -> Span:
        """Of the SDE up to its last step, which covers the rest; without one the score's
        singularity at t = 1 is left out. singular_start: the diffusion is infinite where
        alpha = 0, as SBDM is. With velocities the official code keeps both ends, and divides by
        zero there."""
        start = MARGIN if singular_start and self.path.pure_noise else self._start
        return start, 1 - (last_step or MARGIN)

    def _span(self, end: float) -> Span:
        return self._start, 1 - (MARGIN if self.prediction.singular and not end else end)

    @property
    def _start(self) -> float:
        return MARGIN if self.prediction.singular and self.path.pure_noise else 0.0


DEFAULT = Transport()
