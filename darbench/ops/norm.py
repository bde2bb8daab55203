"""The root mean square of a vector's features, which keys and streams are normed by."""

import torch
from torch import Tensor

EPS = 1e-6  # within the root, of every norm of a routing


def wide(v: Tensor) -> Tensor:
    """v in float32 or better: a running sum rounded at every site would no longer be one."""
    return v if v.dtype == torch.float64 else v.float()


def inverse_rms(v: Tensor, eps: float = EPS) -> Tensor:
    """1 / sqrt(mean(v^2) + eps) over the last axis, in float32 or better: (..., D) -> (...)."""
    return torch.rsqrt(wide(v).square().mean(-1) + eps)
