"""FLOPs of a forward pass on the meta device, where tensors have a shape and no content."""

from collections.abc import Hashable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class ForwardCounter(TorchDispatchMode):
    """Adds up matrix multiplications and attention by torch's formulas, as its FlopCounterMode
    does, of whatever runs within.

    torch finds the shape of each result in Python, which takes most of the time; but a network
    repeats the same operations on the same shapes at every depth. Here the first result of a kind
    tells what the others are like.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self._results: dict[Hashable, tuple[tuple, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        key = _key(func, args, kwargs) if _makes_tensors(func) else None
        if key in self._results:
            like, flops = self._results[key]
            self.total += flops
            return _tensor(like)
        with self:  # as FlopCounterMode does: what is made of other operations is counted by them
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        result = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        flops = formula(*args, **kwargs, out_val=result) if formula else 0
        self.total += flops
        if key is not None and result.is_meta:
            self._results[key] = _like(result), flops
        return result


@cache
def _makes_tensors(func: Any) -> bool:
    """Whether an operation answers one tensor, a new one, and changes none."""
    schema = func._schema
    tensors = [str(r.type) for r in schema.returns] == ["Tensor"]
    return tensors and all(a.alias_info is None for a in (*schema.arguments, *schema.returns))


def _key(*values: Any) -> Hashable | None:
    """Equal for operations with results of the same kind; None where that is not known."""
    try:
        key = tuple(map(_like, values))
        hash(key)
    except TypeError:
        return None
    return key


def _like(value: Any) -> Hashable:
    """What decides the kind of a result; TypeError for tensors that are not on the meta device."""
    if isinstance(value, Tensor):
        if not value.is_meta:
            raise TypeError
        return Tensor, value.shape, value.stride(), value.dtype
    if isinstance(value, (list, tuple)):
        return type(value), *map(_like, value)
    if isinstance(value, dict):
        return dict, *((name, _like(item)) for name, item in value.items())
    return type(value), value


def _tensor(like: tuple) -> Tensor:
    _, shape, stride, dtype = like
    return torch.empty_strided(shape, stride, dtype=dtype, device="meta")
