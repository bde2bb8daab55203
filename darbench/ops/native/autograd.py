"""What all autograd functions of the native kernels share."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch.autograd import Function, forward_ad


class NativeFunction(Function):
    """A function of which the forward alone is called where nothing is differentiated.

    Autograd would make its context, and a view of every input that is an output: a twentieth of
    an evaluation with many sources or streams.
    """

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        if torch.is_grad_enabled() or forward_ad._current_level >= 0:
            return super().apply(*inputs)
        return cls.forward(_Forgetful(), *inputs)


class _Forgetful:
    """The context of a forward that nobody goes back through."""

    needs_input_grad = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep nothing."""

    def set_materialize_grads(self, value: bool) -> None:
        """Change nothing: there are no gradients."""


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
