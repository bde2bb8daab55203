"""The gradient that goes down a trail of streams, from the last reader to the first.

Only functions of this room return one, each in contiguous memory that nobody else has: the next
may write to it. That of the streams' value may be shared.
"""

import torch
from torch import Tensor


def owned(streams: Tensor, trail: Tensor | None, value: Tensor | None = None) -> Tensor:
    """Return the whole gradient of streams, in memory to write to."""
    if trail is not None:
        return trail if value is None else trail.add_(value)
    if value is None:
        return torch.zeros_like(streams)
    return value.clone(memory_format=torch.contiguous_format)
