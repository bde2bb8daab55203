"""How alive a routing is in training, by the gradients that reach its parameters.

A softmax that saturates passes gradients that underflow to exact zeros: the routing stays as it
is, and the trial only looks worse. It is seen here whatever the routing computes.
"""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from darbench.model.sit import SiT

EARLY = 1 / 20  # the share of the steps that never counts as dead, nor do
FIRST = 2  # steps, in which a model whose last layers start at zero passes no gradient
EVERY = (
    16  # steps from one comparison with the trunk to the next, for its norm takes .7 % of a step
)


class RoutingGradients:
    """Sums over the steps of a trial; they stay on its device until `columns` asks for them."""

    def __init__(self, model: SiT, steps: int):
        self.routing = _learning(model.routing.parameters())
        owned = {id(p) for p in self.routing}
        self.trunk = [p for p in _learning(model.parameters()) if id(p) not in owned]
        self.values = sum(p.numel() for p in self.routing)
        self.early = max(EARLY * steps, FIRST)
        self.steps = self.later = 0
        device = self.trunk[0].device
        self.zeros, self.dead = torch.zeros(2, dtype=torch.long, device=device)
        # Sums of squares of the routing's gradient, and of the trunk's.
        self.squares = torch.zeros(2, dtype=torch.double, device=device)

    @torch.no_grad()
    def add(self, step: int) -> None:
        """Add the gradients of a step (1, 2, ...), which are there until the next one."""
        if not self.routing:
            return
        alive = _nonzero(_gradients(self.routing))
        self.zeros += self.values - alive
        self.steps += 1
        if step > self.early:
            self.dead += alive == 0
            self.later += 1
        if step % EVERY == 0:
            for total, part in zip(self.squares, (self.routing, self.trunk), strict=True):
                total += get_total_norm(_gradients(part)).double().square()

    def tensors(self) -> dict[str, Tensor]:
        return {"zeros": self.zeros, "dead": self.dead, "squares": self.squares}

    def plain(self) -> dict[str, int]:
        return {"steps": self.steps, "later": self.later}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, int]) -> None:
        """Take up the sums of an earlier process, as `tensors` and `plain` gave them."""
        for name, own in self.tensors().items():
            own.copy_(tensors[name])
        self.steps, self.later = plain["steps"], plain["later"]

    @property
    def columns(self) -> dict[str, float | None]:
        """The columns of a row, over the steps so far; None for a routing without parameters."""
        routing, trunk = self.squares.tolist()
        sizes = sum(p.numel() for p in self.trunk) / max(1, self.values)
        return {
            "routing_grad_zero": _share(self.zeros.item(), self.values * self.steps),
            "routing_grad_ratio": math.sqrt(routing / trunk * sizes) if trunk else None,
            "routing_dead_share": _share(self.dead.item(), self.later),
        }


def _learning(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [p for p in parameters if p.requires_grad]


def _gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The gradients that there are: a parameter that nothing used has none, as if it were zero."""
    return [p.grad for p in parameters if p.grad is not None]


def _nonzero(gradients: list[Tensor]) -> Tensor:
    """How many values are not exactly zero; one tensor is counted sooner than many."""
    if not gradients:
        return torch.tensor(0)
    return torch.count_nonzero(torch.cat([each.flatten() for each in gradients]))


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
