"""The choice of the kernels that compute depth attention.

There are kernels for float32 on the CPU, and on CUDA for float32 with at most one narrower type.
"""

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

import torch
from torch import Tensor

from darbench.ops import native

NARROW = (torch.bfloat16, torch.float16)
TRITON = find_spec("triton") is not None
if torch.cuda.is_available() and not TRITON:
    warnings.warn(
        "triton is not installed: depth attention runs as plain torch operations, which is "
        "correct but needs several times the memory and time on a GPU; pip install triton",
        stacklevel=2,
    )


class Backend(Protocol):
    """The interface of the modules `cpu` and `gpu`. Values are contiguous."""

    def empty_outputs(self, values: Sequence[Tensor], heads: int) -> tuple[Tensor, Tensor]:
        """The outputs of `forward`, allocated but not filled in."""

    def forward(
        self,
        query: Tensor,
        values: Sequence[Tensor],
        inv_rms: Sequence[Tensor],
        scale: float,
        heads: int,
        unknown: Sequence[int] = (),
    ) -> tuple[Tensor, Tensor]:
        """Return h (B, T, D), and what `backward` needs, in a shape of the backend's own.

        The inverse RMS of the sources `unknown` are computed and written into `inv_rms`.
        """

    def backward(
        self,
        grad: Tensor,
        query: Tensor,
        values: Sequence[Tensor],
        inv_rms: Sequence[Tensor],
        kept: Tensor,
        scale: float,
        into: Sequence[Tensor | None],
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of the query and of every value.

        A value's gradient is added to its tensor in `into`, where there is one.
        """


def takes(*tensors: Tensor) -> bool:
    """Whether there are kernels for these tensors; if not, the definition is computed."""
    return native.takes(*tensors) or _triton_takes(*tensors)


def _triton_takes(*tensors: Tensor) -> bool:
    narrow = [x.dtype for x in tensors if x.dtype != torch.float32]
    return (
        TRITON
        and all(x.is_cuda and x.device == tensors[0].device for x in tensors)
        and all(dtype in NARROW and dtype == narrow[0] for dtype in narrow)
    )


def backend(query: Tensor) -> Backend:
    """The backend for the query's device, for tensors that `takes` accepts."""
    if query.is_cuda:
        from darbench.ops.depth_attention import gpu

        return gpu
    from darbench.ops.depth_attention import cpu

    return cpu
