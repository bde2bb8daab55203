"""Narrow sublayers on the CPU in float32, one kernel for the forward and one for the backward.

Some fifty tokens at a time go all the way, so what lies between the products stays in the cache,
and the backward makes most of it again instead of having it kept.
"""

from torch import Tensor

from darbench.ops.native.products import LANES

WEIGHTS = 1 << 14  # of a linear, which stay in the nearest caches of a core
FEW = 64  # tokens of a sample, among which a head's scores do
ROWS = 64  # tokens that go together, or those of one sample


def takes(*weights: Tensor) -> bool:
    """Whether these kernels are faster than torch's products with kernels between them."""
    return all(w.numel() <= WEIGHTS and not any(n % LANES for n in w.shape) for w in weights)


def steps(*modulation: Tensor) -> tuple[int, ...]:
    """The address of each, and by how much the next sample's row is apart."""
    return tuple(n for x in modulation for n in (x.data_ptr(), x.stride(0)))
