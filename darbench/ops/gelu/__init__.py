"""GELU in its tanh approximation, the activation of SiT's MLPs.

On the CPU in float32 a native kernel takes a third of the time of torch's, which would take a
sixth of a training step of digits-nano.
"""

import torch
from torch import Tensor

from darbench.ops import native


def gelu(x: Tensor) -> Tensor:
    """x (1 + tanh(u)) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3)  (arXiv:1606.08415, sec. 2)."""
    if not native.takes(x) or torch.compiler.is_compiling():
        return torch.nn.functional.gelu(x, approximate="tanh")
    from darbench.ops.gelu import cpu

    return cpu.Gelu.apply(x.contiguous())
