"""A source for kernels: the first one that reads v also computes its norm."""

from torch import Tensor

from darbench.ops.depth_attention.source import Source
from darbench.ops.norm import wide


class Deferred(Source):
    """A source whose norm is not computed yet, nor is that of its sums."""

    __slots__ = ()

    def __add__(self, other: Source) -> "Deferred":
        return deferred(wide(self.value) + wide(other.value))


def deferred(v: Tensor) -> Deferred:
    return Deferred(v, None, v.contiguous())
