"""The root mean square over features, by which keys and streams are normed."""

import torch
from torch import Tensor

EPS = 1e-6  # within the root, in every norm of a routing


def wide(v: Tensor) -> Tensor:
    """Return v in float32 or better, for a running sum must not be rounded at every site."""
    return v if v.dtype == torch.float64 else v.float()


def inverse_rms(v: Tensor, eps: float = EPS) -> Tensor:
    """1 / sqrt(mean(v^2) + eps) over the last axis, (..., D) -> (...), in float32 or better."""
    return torch.rsqrt(wide(v).square().mean(-1) + eps)
