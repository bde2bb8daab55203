"""Fingerprints of values by their content, which show whether code has changed what it holds."""

import gc
import hashlib
import io
import sys
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darbench.state.generators import GLOBAL
from darbench.state.ownership import is_own

BY_NAME = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
READABLE = {*sys.stdlib_module_names, "numpy"}  # whose objects hold content


class Fingerprint:
    """Fingerprints of values that belong together, nested tuples that are equal if the content is.

    `learnt` are tensors and modules that change with training as they should: of them, as of every
    parameter, only counts which it is; so of the global generators, which others draw from too.
    `home` is the user's package, if it is installed.
    """

    def __init__(self, learnt: Iterable[object] = (), home: str = ""):
        self._learnt, self._home = {id(each) for each in (*learnt, *GLOBAL)}, home
        self._met: dict[int, object] = {}  # kept, so that no other value gets its id

    def of(self, value: Any) -> object:
        """Return the fingerprint of a value; of one that was met before, that it is the same."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return type(value).__name__, repr(value)
        if id(value) in self._met or id(value) in self._learnt:
            return "same", self._identity(value)
        self._met[id(value)] = value
        return type(value).__name__, self._content(value)

    def _content(self, value: Any) -> object:
        if isinstance(value, (nn.Parameter, *BY_NAME)):
            return self._identity(value)
        if isinstance(value, Tensor):
            return tensor_content(value)
        if isinstance(value, torch.Generator):
            return tensor_content(value.get_state())
        if isinstance(value, dict | types.MappingProxyType):
            return tuple((self.of(key), self.of(item)) for key, item in value.items())
        if isinstance(value, list | tuple):
            return tuple(map(self.of, value))
        if isinstance(value, set | frozenset):
            return tuple(sorted(repr(self.of(item)) for item in value))
        return self._of_object(value)

    def _of_object(self, value: Any) -> object:
        """The fingerprint of what an object would be copied from, or else of its attributes."""
        if hasattr(value, "cache_info"):  # functools.cache: how much, and what, it has remembered
            held = sorted(repr(self.of(each)) for each in gc.get_referents(value))
            return self._identity(value), value.cache_info().misses, tuple(held)
        if isinstance(value, ContextVar):
            return self.of(value.get(None))
        if isinstance(value, torch.UntypedStorage):
            return tensor_content(
                torch.empty(0, dtype=torch.uint8, device=value.device).set_(value)
            )
        if isinstance(value, np.ndarray) and value.dtype != object:
            return str(value.dtype), value.shape, _digest(np.ascontiguousarray(value))
        if isinstance(value, types.GeneratorType):
            frame = value.gi_frame
            return frame and (frame.f_lasti, self.of(dict(frame.f_locals)))
        if isinstance(value, nn.Module):
            return self.of(vars(value))
        if not self._is_readable(type(value)):
            return self._identity(value)
        with suppress(TypeError), memoryview(value) as content:  # as of array.array
            if "O" not in content.format:  # addresses
                return content.format, _digest(content.tobytes())
        try:
            return self._reduced(value)
        except Exception:  # as of locks and files, which are what they are, and threading.local
            rest = getattr(value, "__dict__", None)
            return self._identity(value), _position(value), self.of(rest)

    def _is_readable(self, kind: type) -> bool:
        """Whether objects of this kind hold content: those of a compiler hold what it compiled."""
        top = kind.__module__.partition(".")[0]
        return top in READABLE or is_own(kind.__module__, self._home)

    def _reduced(self, value: Any) -> object:
        made, arguments, *rest = value.__reduce_ex__(4)
        parts = (list(part) if hasattr(part, "__next__") else part for part in rest)
        return self._identity(made), self.of(arguments), *map(self.of, parts)

    def _identity(self, value: Any) -> object:
        return id(value)


def tensor_content(value: Tensor) -> object:
    if value.is_meta or value.layout != torch.strided:
        return id(value), value._version
    content = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return str(value.dtype), tuple(value.shape), _digest(content)


def _position(value: Any) -> int | None:
    """How far a file has been read; None of anything else."""
    with suppress(OSError, ValueError):
        if isinstance(value, io.IOBase) and value.readable():
            return value.tell()
    return None


def _digest(content: np.ndarray | bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the names whose fingerprints differ, or that one of the two lacks."""
    names = {**before, **after}
    return [name for name in names if before.get(name) != after.get(name)]
