"""Small models with noise on all weights, and what they are diagnosed on."""

from functools import partial

import torch

from darbench.diagnose.batch import Batch
from darbench.model.sit import SiT
from darbench.testing.inputs import randomise
from tests.make.models import sit

SITES, TOKENS, WIDTH = 8, 16, 16  # those of `sit`
TIMES = torch.tensor([0.0, 0.5, 1.0])


def model_of(name: str, dtype=torch.float64, std: float = 0.3, **params) -> SiT:
    """A model with a built-in routing, no weight as at the start, and all frozen."""
    return random(sit((name, params)), dtype, std)


def model_with(routing, dtype=torch.float64, std: float = 0.3, **params) -> SiT:
    """The same with a routing's class."""
    sizes = {"depth": 4, "width": 16, "heads": 2, "patch": 2, "side": 8}
    return random(SiT(partial(routing, **params), **sizes, channels=3, classes=5), dtype, std)


def random(model: SiT, dtype, std: float) -> SiT:
    model = model.to(dtype).eval()
    randomise(model, std)
    return model.requires_grad_(False)


def batch_of(n: int = 2, dtype=torch.float64) -> Batch:
    generator = torch.Generator().manual_seed(0)
    x1, x0 = torch.randn(2, n, 3, 8, 8, generator=generator, dtype=torch.float64).to(dtype)
    return Batch(x1, torch.arange(n) % 5, x0)
