"""What a training step minimises: the loss of the flow, and whatever a paper adds to it."""

from torch import Tensor, nn

from darbench.flow.transport import Transport
from darbench.model.sit import SiT


class Objective(nn.Module):
    """The flow's loss alone. A subclass adds a term, and may hold modules that learn with the
    model but are no part of it: not of its average, its samples or its parameter count."""

    def __init__(self, transport: Transport):
        super().__init__()
        self.transport = transport

    def forward(self, model: SiT, x1: Tensor, label: Tensor, x0: Tensor, u: Tensor) -> Tensor:
        """Of each sample, (B,); u (B,) is uniform in [0, 1)."""
        return self.transport.loss(model, x1, label, x0, u)

    def step_flops(self, batch: int, shape: tuple[int, int, int]) -> float:
        """Training FLOPs of a step beyond those of the model, whatever its routing."""
        return 0.0
