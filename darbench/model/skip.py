"""Skips from a model's input to its output: none, or one whose weights depend on the time."""

from torch import Tensor, nn

from darbench.model.embed import FREQUENCIES, time_features

HIDDEN = 32


class NoSkip(nn.Module):
    """The network's own output."""

    def forward(self, x: Tensor, t: Tensor, out: Tensor) -> Tensor:
        """Return what the model predicts, (B, C, H, W); x is its input, t (B,)."""
        return out

    def elementwise_flops(self, values: int) -> int:
        """Return the forward FLOPs of a sample of so many values, without matrix products."""
        return 0


class TimeSkip(NoSkip):
    """alpha(t) x_t + beta(t) out  (arXiv:2609.33895, the learned long skip).

    [alpha | beta - 1] is an MLP of the timestep's frequencies: two linears with SiLU between, the
    last zero at the start, where the output is that of the plain model. A network that predicts
    x_1 becomes one of velocities with alpha = -1 / (1 - t): the skip carries the noisy input past
    the residual stream, whatever the routing. It is a control, for it is no routing.
    Differs from the official code: HIDDEN features instead of 128.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2)
        )

    def forward(self, x: Tensor, t: Tensor, out: Tensor) -> Tensor:
        alpha, more = self.mlp(time_features(t)).view(-1, 2, 1, 1, 1).unbind(1)
        return alpha * x + (1 + more) * out

    def elementwise_flops(self, values: int) -> int:
        return 3 * values


SKIPS: dict[str, type[NoSkip]] = {"none": NoSkip, "time": TimeSkip}
