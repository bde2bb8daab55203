"""Who listens to the weights of depth attention; while nobody does, a read only asks for that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from darbench.ops.depth_attention import definition
from darbench.ops.depth_attention.source import Source, key_norm
from darbench.ops.norm import wide


class Heard(NamedTuple):
    """What a read was told to whoever listens."""

    values: tuple[Tensor, ...]  # v_j of its J sources, (B, T, D) each, with their graph
    weights: Tensor  # alpha, (B, T, heads, J), detached


LISTENERS: list[list[Heard]] = []


@contextmanager
def listening() -> Iterator[list[Heard]]:
    """Collect all reads of this process within the context, but for those of compiled graphs."""
    heard: list[Heard] = []
    LISTENERS.append(heard)
    try:
        yield heard
    finally:
        LISTENERS[:] = [other for other in LISTENERS if other is not heard]


def tell(query: Tensor, sources: Sequence[Source], scale: float, heads: int) -> None:
    """Tell every listener of a read with these arguments of `depth_attention`."""
    values = tuple(s.value for s in sources)
    heard = Heard(values, softmax_weights(query, sources, scale, heads))
    for listener in LISTENERS:
        listener.append(heard)


@torch.no_grad()
def softmax_weights(
    query: Tensor, sources: Sequence[Source], scale: float, heads: int = 1
) -> Tensor:
    """alpha (B, T, heads, J) as the definition computes it, in float32 or better.

    Every head gets J channels more: a source has 1 in its own and 0 in the others. The query has 0
    there, so that no logit changes, and what is read there are the weights.
    """
    marks = torch.eye(len(sources), device=query.device)
    marked = [
        Source(value, key_norm(s), value)
        for s, mark in zip(sources, marks, strict=True)
        for value in [_beside(wide(s.value), mark, heads)]
    ]
    query = _beside(wide(query), 0 * marks[0], heads)
    read = definition.depth_attention(query, marked, scale, heads)
    return read.unflatten(-1, (heads, -1))[..., -len(sources) :]


def _beside(x: Tensor, more: Tensor, heads: int) -> Tensor:
    """x (..., D) with the channels `more` (J,) behind those of every head."""
    groups = x.unflatten(-1, (heads, -1))
    more = more.to(x.dtype).expand(*groups.shape[:-1], -1)
    return torch.cat([groups, more], dim=-1).flatten(-2)
