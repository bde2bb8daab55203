"""Code run on tensors without content: the form of every result, and a count of FLOPs."""

import math
from collections.abc import Hashable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

DRAWS = (torch.ops.aten.normal_.default, torch.ops.aten.uniform_.default)
UNKNOWN = {  # results that their content decides, and random numbers that others would miss
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
    torch.Tag.nondeterministic_seeded,
}
# The form of a result, or None for the first argument's, and the FLOPs, by operation and forms.
_KNOWN: dict[Hashable, tuple[Any, int]] = {}


class Outline(TorchDispatchMode):
    """Works out operations on the meta device, faster than torch does, and adds up the `flops` of
    matrix multiplications and attention by torch's formulas, as its FlopCounterMode does.

    torch finds the shape of a result in Python, for which it first loads its compiler, a second.
    Here an operation on few values runs on the CPU, on zeros of the same form, and the next of a
    kind is taken for equal: a network repeats the same operations on the same shapes at every
    depth. Where that cannot be, or raises anything, torch's own way decides. few: values up to
    which the CPU is asked.
    """

    def __init__(self, few: int = 2**12) -> None:
        super().__init__()
        self.flops = 0
        self._few = few

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True loads the compiler, to keep it from compiling what is within

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        key = self._key(func, args, kwargs) if _is_plain(func) else None
        if key in _KNOWN:
            form, flops = _KNOWN[key]
            self.flops += flops
            return args[0] if form is None else _of_form(form)
        with self:
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:  # what it is made of was worked out
            return result
        result = None if key is None else _on_cpu(func, args, kwargs, self._few)
        result = func(*args, **kwargs) if result is None else result
        formula = flop_registry.get(func._overloadpacket)
        flops = formula(*args, **kwargs, out_val=result) if formula else 0
        self.flops += flops
        if key is not None and all(x is None or x.is_meta for x in tree_leaves(result)):
            _KNOWN[key] = None if _in_place(func) else _form(result), flops
        return result

    def _key(self, func: Any, args: tuple, kwargs: dict) -> Hashable | None:
        """Return a key that operations with results of the same form share.

        None where the form is not known, or a tensor has content.
        """
        device = kwargs.get("device")
        if device is None and not _has_tensor(args):
            return None
        if device is not None and torch.device(device).type != "meta":
            return None
        try:
            key = self._few, torch.get_default_dtype(), _form((func, args, kwargs))
            hash(key)
        except TypeError:
            return None
        return key


@cache
def _is_plain(func: Any) -> bool:
    """Whether an operation makes new tensors of its arguments, or fills its first one, whatever
    their content is."""
    schema = func._schema
    if func.namespace != "aten" or (UNKNOWN & {*func.tags} and func not in DRAWS):
        return False
    new = not any(a.alias_info for a in (*schema.arguments, *schema.returns))
    return (new or _in_place(func)) and all(str(r.type) == "Tensor" for r in schema.returns)


@cache
def _in_place(func: Any) -> bool:
    given = [a.alias_info for a in func._schema.arguments]
    others = any(given[1:]) or len(func._schema.returns) != 1
    return bool(given and given[0] and given[0].is_write) and not others


def _has_tensor(args: tuple) -> bool:
    if args and isinstance(args[0], Tensor):  # as nearly always
        return True
    return any(isinstance(x, Tensor) for x in tree_leaves(args))


def _form(value: Any) -> Hashable:
    """What decides the form of a result; TypeError for tensors with content."""
    if isinstance(value, Tensor):
        if not value.is_meta:
            raise TypeError
        return Tensor, value.shape, value.stride(), value.dtype
    if isinstance(value, (list, tuple)):
        return type(value), *map(_form, value)
    if isinstance(value, dict):
        return dict, *((name, _form(item)) for name, item in value.items())
    if isinstance(value, torch.Generator):
        return torch.Generator
    return type(value), value


def _of_form(form: Any) -> Any:
    if form[0] is Tensor:
        _, shape, stride, dtype = form
        return torch.empty_strided(shape, stride, dtype=dtype, device="meta")
    if form[0] is type(None):  # a gradient that nobody asked for
        return None
    return tuple(map(_of_form, form[1:]))


def _on_cpu(func: Any, args: tuple, kwargs: dict, few: int) -> Any:
    """The result, without content, of the operation on zeros; None if it is of more than a few
    values, or raises."""
    if func in DRAWS:  # whether it may draw so, from a generator that nobody else draws from
        stands, kwargs = (torch.zeros(1), *args[1:]), kwargs | {"generator": torch.Generator()}
    elif sum(map(_values, args)) <= few:
        stands, kwargs = tree_map_only(Tensor, _zeros, (args, kwargs))
    else:
        return None
    if kwargs.get("device") is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    try:
        result = func(*stands, **kwargs)
    except Exception:  # torch has the word, and a message that fits
        return None
    return args[0] if _in_place(func) else tree_map_only(Tensor, _emptied, result)


def _values(given: Any) -> int:
    """The number of values of a tensor, of several tensors, or of a tensor with these sizes."""
    if isinstance(given, Tensor):
        return given.numel()
    if isinstance(given, (list, tuple)) and all(isinstance(n, int) for n in given):
        return math.prod(given)
    if isinstance(given, (list, tuple)):
        return sum(map(_values, given))
    return abs(given) if isinstance(given, int) else 0


def _zeros(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="cpu").zero_()


def _emptied(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")
