"""The global generators of a process: torch's on the CPU and on a GPU, numpy's and Python's."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

# The objects behind the functions of numpy.random and random.
GLOBAL = (torch.default_generator, np.random.random.__self__, random.random.__self__)


def torch_generators(device: str = "cpu") -> list[torch.Generator]:
    """Return torch's generators from which code on that device may draw."""
    if device == "cpu":
        return [torch.default_generator]
    return [torch.default_generator, torch.cuda.default_generators[torch.cuda.current_device()]]


@contextmanager
def borrowed(seed: int, device: str = "cpu") -> Iterator[None]:
    """Seed all of them within the context, and give them back as they were."""
    torchs = torch_generators(device)
    kept: list[Tensor] = [generator.get_state() for generator in torchs]
    of_numpy, of_python = np.random.get_state(), random.getstate()
    try:
        for generator in torchs:
            generator.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        yield
    finally:
        for generator, state in zip(torchs, kept, strict=True):
            generator.set_state(state)
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def positions(device: str = "cpu") -> dict[str, object]:
    """Return by name how far torch's have come; what has drawn nothing since is where it was."""
    named = zip(("torch", "torch on the GPU"), torch_generators(device), strict=False)
    return {name: generator.get_state().numpy().tobytes() for name, generator in named}


def foreign_positions() -> dict[str, object]:
    """Return how far numpy's and Python's have come, from which libraries may draw as well."""
    kind, keys, *rest = np.random.get_state()
    return {"numpy": (kind, keys.tobytes(), *rest), "Python's random": random.getstate()}
