"""Memory for large tensors that every step makes anew.

malloc gives a large block back to the system, which clears and maps every page of the next one:
that takes longer than writing a gradient. A block here stays mapped, and is lent again once
nobody holds the tensor that it was lent to.
"""

import weakref
from collections import deque

import numpy as np
import torch
from torch import Tensor

LEAST = 1 << 20  # bytes; malloc keeps most of what is smaller
MOST = 1 << 30  # bytes of the blocks of one size that wait to be lent

_waiting: dict[int, deque[np.ndarray]] = {}  # by size; threads may take and return at any time


def empty_like(x: Tensor) -> Tensor:
    """Return a contiguous tensor of x's shape, float32 on the CPU, not filled in."""
    if x.nbytes < LEAST:
        return x.new_empty(x.shape)
    waiting = _waiting.setdefault(x.nbytes, deque(maxlen=max(1, MOST // x.nbytes)))
    try:
        block = waiting.pop()
    except IndexError:
        block = _aligned(x.numel())
    view = block.view()  # the tensor's storage holds it for as long as anybody can reach that
    weakref.finalize(view, waiting.append, block).atexit = False
    return torch.from_numpy(view).view(x.shape)


def release() -> None:
    """Give the blocks that wait back to malloc."""
    for waiting in [*_waiting.values()]:
        waiting.clear()


def _aligned(count: int) -> np.ndarray:
    """Room for so many numbers, from a multiple of 64 bytes on, as torch's own tensors are."""
    room = np.empty(count + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + count]
