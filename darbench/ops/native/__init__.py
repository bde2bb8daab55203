"""Kernels for the CPU, compiled by Numba and kept on disk.

Numba is imported when a kernel is first called, which takes half a second.
"""

import warnings
from importlib.util import find_spec

import torch
from torch import Tensor, float32
from torch.nn import Parameter

PLAIN = (Tensor, Parameter)
AVAILABLE = find_spec("numba") is not None
if not AVAILABLE:
    warnings.warn(
        "numba is not installed: routings run as plain torch operations, which is correct but "
        "several times slower on a CPU; pip install numba",
        stacklevel=2,
    )


def takes(*tensors: Tensor) -> bool:
    """Whether the native kernels can take these tensors: float32 on the CPU, with memory.

    Other classes of tensors may have no memory, and those within torch.func are wrappers.
    """
    return (
        AVAILABLE
        and all(x.is_cpu and x.dtype == float32 and type(x) in PLAIN for x in tensors)
        and not torch._C._are_functorch_transforms_active()
    )


def applies(*tensors: Tensor) -> bool:
    """Whether native code may stand for plain operations on these tensors.

    Where operations are traced they stay single, and autocast chooses a precision for each.
    """
    compiling, cast = torch.compiler.is_compiling(), torch.is_autocast_enabled("cpu")
    return takes(*tensors) and not compiling and not cast
