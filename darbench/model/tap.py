"""Depth reads of a model, collected from outside: its forward pass needs no code for that."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from darbench.model.sit import SiT


@contextmanager
def tap(model: SiT, layer: int) -> Iterator[list[Tensor]]:
    """Collect z_k (B, T, D), k = `layer`, once for each forward pass within the context.

    z_k is what block k hands on: the routing's read for the site after it, the attention of the
    next block or, after the last block, the head. z_0 is what the first block receives. For `add`
    it is the block's output, for every other routing the state that the next block really sees.
    """
    receivers = [*(block.attn for block in model.blocks), model.final_layer]
    reads: list[Tensor] = []
    hook = receivers[layer].register_forward_pre_hook(lambda _, inputs: reads.append(inputs[0]))
    try:
        yield reads
    finally:
        hook.remove()
