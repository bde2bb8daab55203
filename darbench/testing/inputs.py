"""Inputs for the verbs of a routing, and ways to run it without a model."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from darbench.routing.base import Cond, Routing, State


def outputs(
    sites: int = 8,
    batch: int = 2,
    tokens: int = 3,
    width: int = 16,
    dtype=torch.float64,
    seed: int = 0,
) -> list[Tensor]:
    """Random v_0 .. v_N of unequal sizes, each (batch, tokens, width)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (sites + 1, batch, tokens, width)
    v = torch.randn(shape, generator=generator, dtype=torch.float64)
    size = torch.rand(sites + 1, 1, 1, 1, generator=generator, dtype=torch.float64) + 0.1
    return list((size * v).to(dtype).unbind())


def conditions(batch: int = 2, width: int = 16, dtype=torch.float64, seed: int = 0) -> Cond:
    generator = torch.Generator().manual_seed(seed)
    t, y = torch.randn(2, batch, width, generator=generator, dtype=torch.float64).to(dtype)
    time = torch.rand(batch, generator=generator, dtype=torch.float64).to(dtype)
    return Cond(time=time, label=torch.arange(batch), t=t, y=y, c=t + y)


def states(routing: Routing, v: Sequence[Tensor], cond: Cond) -> list[State]:
    """The states before every site and before the head, where sublayers hand over v[1:]."""
    made = [routing.begin(v[0], cond)]
    for site in range(routing.sites):
        made.append(routing.write(made[-1], site, v[site + 1]))
    return made


def reads(routing: Routing, v: Sequence[Tensor], cond: Cond | None = None) -> list[Tensor]:
    """The reads h of every site and of the head, where sublayers hand over v[1:] whatever h is."""
    cond = conditions(len(v[0]), routing.width, v[0].dtype) if cond is None else cond
    state, h = routing.begin(v[0], cond), []
    for site in range(routing.sites):
        taken, state = routing.take(state, site)
        h.append(taken)
        state = routing.write(state, site, v[site + 1])
    return [*h, routing.read(state, routing.sites)]


def images(n: int = 3, channels: int = 3, dtype=torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """A batch x (n, channels, 8, 8), t (n,), label (n,); the last label is the null class 5."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, channels, 8, 8, generator=generator, dtype=dtype)
    t = torch.rand(n, generator=generator, dtype=dtype)
    return x, t, torch.arange(6 - n, 6)


@torch.no_grad()
def randomise(module: nn.Module, std: float = 0.3, seed: int = 0) -> None:
    """Add noise to every trained parameter."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter += std * noise


def randomise_trunk(model: nn.Module, std: float = 0.3) -> None:
    """Add noise to every parameter of a SiT except those of its routing."""
    for part in (model.x_embedder, model.t_embedder, model.y_embedder, model.final_layer):
        randomise(part, std)
    for number, block in enumerate(model.blocks):
        randomise(block, std, seed=number)
