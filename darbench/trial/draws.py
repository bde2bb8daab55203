"""The random numbers that a routing draws in training: a function of seed and step, and hashed."""

import hashlib

import torch
from torch import Tensor

from darbench.randomness import key
from darbench.state.generators import torch_generators


class Draws:
    """The keys of torch's global generators in a trial, and whether a step drew from them.

    No number of darbench's comes from these generators, so what one routing draws moves nothing
    that it shares with others.
    """

    def __init__(self, seed: int, device: str):
        self._seed = seed
        self._generators = torch_generators(device)
        self._keyed: list[Tensor] = []

    def key(self, step: int) -> None:
        """Seed the generators for a step, whatever was drawn before."""
        for generator in self._generators:
            generator.manual_seed(self.seed(step))
        self._keyed = self._states()

    def seed(self, step: int) -> int:
        return key(self._seed, "draws", step)

    def digest(self) -> str:
        """Return a hash of what was drawn since the key; empty if nothing was."""
        states = self._states()
        if all(map(torch.equal, states, self._keyed)):
            return ""
        return hashlib.sha256(b"".join(state.numpy() for state in states)).hexdigest()[:16]

    def _states(self) -> list[Tensor]:
        return [generator.get_state() for generator in self._generators]
