"""What a trial holds its routing to: nothing decides a number that the evaluated model lacks.

The checks of `darbench check` find the same before a trial; here nobody has to have run them. All
are made before the first step and at checkpoints, so a step costs what it did.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from darbench.errors import BadInput
from darbench.registry.bundle import allow_refused, demand_none_refused
from darbench.state.carried import carried, reachable
from darbench.state.fingerprint import Fingerprint, changed
from darbench.state.generators import borrowed, foreign_positions, positions

MEND = (
    "put it into a buffer (register_buffer in __init__), which the evaluated model gets, or into "
    "the state of the pass"
)
DRAW = "draw in training alone, with torch's global generators: torch.rand, nn.Dropout"
# The relative difference of losses that two equal steps may make: on a GPU sums are in any order.
EQUAL = {"cpu": 0.0, "cuda": 1e-4}


class Conduct:
    """The watch over what a routing carries besides parameters and buffers, and how it draws."""

    def __init__(self, name: str, cls: type):
        """Begin before the trial builds a routing of the class: that may leave things behind."""
        allow_refused()
        self._name, self._cls = name, cls
        self._outside = reachable(cls)
        self._before: dict[str, object] = {}

    def built(self, routing: nn.Module) -> None:
        """Take the routing as it starts training; BadInput if building it left something."""
        self._demand(self._outside, reachable(self._cls), "is changed by building it", MEND)
        self._before = carried(routing)

    def trained(self, routing: nn.Module) -> None:
        """BadInput if training has changed anything but parameters and buffers."""
        self._demand(self._before, carried(routing), "is changed by training", MEND)

    @contextmanager
    def evaluated(self, routing: nn.Module, device: str) -> Iterator[None]:
        """BadInput if what is done within the context changes the routing or draws anything."""
        held, drawn = _all_of(routing), positions(device)
        yield
        mend = "let it depend on self.training"
        self._demand(held, _all_of(routing), "is changed by evaluation", mend)
        self._demand(drawn, positions(device), "is drawn from at evaluation", DRAW)

    def repeatable(self, losses: Callable[[], Tensor], seed: int, device: str) -> bool:
        """BadInput if the losses of a step are others when found again from the same seed.

        Returns whether anything was drawn.
        """
        (one, drew), (two, _) = (self._once(losses, seed, device) for _ in range(2))
        if not torch.allclose(
            one, two, rtol=EQUAL[torch.device(device).type], atol=0, equal_nan=True
        ):
            raise BadInput(
                f"routing {self._name}: a training step from the same weights and seeds gives "
                f"another loss when it is repeated; {DRAW}"
            )
        return drew

    def _once(self, losses: Callable[[], Tensor], seed: int, device: str) -> tuple[Tensor, bool]:
        with borrowed(seed, device), self.drawing():
            before = positions(device)
            found = losses()
            return found, before != positions(device)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """BadInput if what is done within the context draws from numpy or Python's random."""
        before = foreign_positions()
        yield
        self._demand(before, foreign_positions(), "is drawn from", DRAW)

    def ended(self) -> None:
        """BadInput if something was refused meanwhile and the user's code has caught that."""
        demand_none_refused()

    def _demand(self, before: Mapping, after: Mapping, fault: str, mend: str) -> None:
        self.ended()
        names = changed(before, after)
        if names:
            raise BadInput(f"routing {self._name}: {names[0]} {fault}; {mend}")


def _all_of(routing: nn.Module) -> dict[str, object]:
    """All that a routing holds, the values of its parameters and buffers among it."""
    tensors = {**dict(routing.named_parameters()), **dict(routing.named_buffers())}
    held = {f"self.{name}": Fingerprint().of(value.data) for name, value in tensors.items()}
    return carried(routing) | held
