"""What a routing adds to a SiT of a published size: parameters and forward FLOPs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from darbench.model.outline import Outline
from darbench.model.sizes import SIZES
from darbench.routing.base import Cond, Routing

TOKENS = 256  # 32 x 32 latents in patches of 2
PUBLISHED = ("S/2", "XL/2")


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """What a routing adds to a SiT."""

    parameters: int
    flops: float  # forward FLOPs beyond add's, over those of the blocks
    equals_add: str


def overhead(cls: type[Routing], params: Mapping[str, Any], size: str) -> Overhead:
    """The overhead of a routing, measured without a trunk on the meta device: nothing is
    allocated."""
    depth, width, _ = SIZES[size.partition("/")[0]]
    with torch.no_grad(), torch.device("meta"), Outline(few=0) as outline:
        routing = cls(2 * depth, width, **params)
        _walk(routing, torch.empty(1, TOKENS, width))
    own = outline.flops + routing.elementwise_flops(TOKENS)
    additions = 2 * depth * TOKENS * width
    return Overhead(
        parameters=sum(p.numel() for p in routing.parameters()),
        flops=(own - additions) / block_flops(depth, width),
        equals_add=routing.equals_add,
    )


def block_flops(depth: int, width: int) -> float:
    """Forward FLOPs per sample of the attention and MLP of all blocks, MLP ratio 4."""
    return TOKENS * depth * (24 * width**2 + 4 * TOKENS * width)


def _walk(routing: Routing, v: torch.Tensor) -> None:
    """One forward pass of the routing; every sublayer's output is v."""
    embedding = torch.empty(1, routing.width)
    label = torch.zeros(1, dtype=torch.long)
    cond = Cond(time=torch.empty(1), label=label, t=embedding, y=embedding, c=embedding)
    state = routing.begin(v, cond)
    for site in range(routing.sites):
        _, state = routing.take(state, site)
        state = routing.write(state, site, v)
    routing.read(state, routing.sites)
