"""The decorator that all autograd functions of the native kernels use."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch


def first_order(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a backward that cannot be differentiated itself.

    It raises at once; torch's once_differentiable would wait for the second derivative, and its
    no_grad takes two microseconds of a read's backward.
    """

    @wraps(backward)
    def checked(ctx: Any, *gradients: Any) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "create_graph=True: native kernels have first derivatives only; in float64 the "
                "plain definition is computed, which has all of them"
            )
        return backward(ctx, *gradients)

    return checked
