"""Training FLOPs of a step: matrix products by count, the routing's other work by its formula."""

import math
from collections.abc import Callable

import torch

from darbench.model.outline import Outline
from darbench.model.sit import SiT


def step_flops(build: Callable[[], SiT], batch: int, shape: tuple[int, int, int]) -> float:
    """Training FLOPs of one optimiser step, 2 per multiply-add, forward and backward.

    Matrix multiplications and attention are counted by torch's formulas on the meta device (on the
    CPU there is none for attention); the routing adds its formula for the rest, whose backward
    is taken as twice the forward, and so does a skip. The trunk's own element-wise work, the same
    for every routing, the optimiser and the EMA are not counted. shape: (C, H, W).
    """
    with torch.device("meta"):
        model = build()
        x = torch.empty(batch, *shape)
        t, label = torch.empty(batch), torch.zeros(batch, dtype=torch.long)
        with Outline() as outline:
            model(x, t, label).sum().backward()
    tokens = model.pos_embed.shape[1]
    elementwise = model.routing.elementwise_flops(tokens)
    elementwise += model.skip.elementwise_flops(math.prod(shape))
    return float(outline.flops + 3 * batch * elementwise)
