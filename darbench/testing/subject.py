"""The routing under test: a class with chosen parameters, which can be built at any size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from darbench.model.sit import SiT
from darbench.routing.base import Routing
from darbench.testing.inputs import randomise

SITES, WIDTH, DEPTH = 8, 16, 4  # the default sizes of routings and models under test


@dataclass(frozen=True)
class Subject:
    cls: type[Routing]
    params: Mapping[str, Any] = field(default_factory=dict)

    def fresh(self, sites: int = SITES, width: int = WIDTH, *, seed: int = 0, **more) -> Routing:
        """The routing at its initial values, in evaluation mode; `more` overrides parameters."""
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(seed)
            return self.cls(sites, width, **{**self.params, **more}).eval()

    def refuses(self, sites: int) -> bool:
        """Whether the constructor raises ValueError because there are too few sites."""
        try:
            self.fresh(sites)
        except ValueError:
            return True
        return False

    def random(
        self, sites: int = SITES, width: int = WIDTH, *, dtype=torch.float64, seed: int = 0
    ) -> Routing:
        """The routing with noise on every parameter, so that no zero hides a fault."""
        routing = self.fresh(sites, width, seed=seed).to(dtype)
        randomise(routing, 0.5, seed)
        return routing

    def model(self, depth: int = DEPTH, width: int = WIDTH) -> SiT:
        """A small SiT for `inputs.images` with this routing, at its initial values."""
        return model_of(partial(self.cls, **self.params), depth, width)


def model_of(routing: Any, depth: int = DEPTH, width: int = WIDTH) -> SiT:
    return SiT(
        routing, depth=depth, width=width, heads=2, patch=4, side=8, channels=3, classes=5
    ).eval()
