"""What a module could carry from one pass to the next besides parameters and buffers, by name.

That is its attributes, and all that the user's code which it runs can reach outside of it:
globals, attributes of classes and functions, closures, defaults, memos.
"""

from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from torch import nn

from darbench.state.fingerprint import Fingerprint
from darbench.state.ownership import home_of, is_own

REGISTERED = ("_parameters", "_buffers", "_modules")
FUNCTION_OF = ("__func__", "fget", "fset", "func", "__wrapped__")


def carried(module: nn.Module) -> dict[str, object]:
    """Return a fingerprint of each attribute of a module and of what its code can reach."""
    return attributes(module) | reachable(type(module))


def attributes(module: nn.Module) -> dict[str, object]:
    """Return a fingerprint of each attribute of a module and its parts.

    Of a parameter, a part or a buffer it says which one it is, not what it holds.
    """
    parts = list(module.named_modules())
    learnt = [*(part for _, part in parts), *module.parameters(), *module.buffers()]
    found: dict[str, object] = {}
    for prefix, part in parts:
        start = f"self.{prefix}." if prefix else "self."
        of = Fingerprint(learnt, home_of(type(module))).of
        plain = {name: value for name, value in vars(part).items() if name not in REGISTERED}
        found |= {start + name: of(value) for name, value in plain.items()}
        owned = {**part._parameters, **part._modules}
        found |= {start + name: id(value) for name, value in owned.items()}
        found |= {start + name: "buffer" for name in part._buffers}
    return found


def reachable(cls: type) -> dict[str, object]:
    """Return a fingerprint of each value outside of it that the code of a class can reach."""
    reach = Reach(home_of(cls))
    reach.into(cls.__name__, cls)
    return reach.found


class Reach:
    """A walk through a user's code: from a class to the functions and globals that it names."""

    def __init__(self, home: str, fingerprint: type[Fingerprint] = Fingerprint):
        self._fingerprint = fingerprint
        self.found: dict[str, object] = {}
        self._home = home
        self._walked: set[int] = set()

    def into(self, name: str, value: Any) -> None:
        """Walk into code; take the fingerprint of anything else."""
        if isinstance(value, ModuleType):
            return
        if isinstance(value, type):
            self._into_class(value)
            return
        self._into_functions(value)
        if not isinstance(value, FunctionType):
            self.found[name] = self._fingerprint(home=self._home).of(value)
            self._into_class(type(value))

    def _into_class(self, cls: type) -> None:
        """Walk through the methods and attributes of a class and its bases."""
        for base in cls.__mro__:
            if self._is_new(base) and is_own(base.__module__, self._home):
                for name, value in vars(base).items():
                    if any(_functions(value)):
                        self._into_functions(value)
                    elif not name.startswith(("__", "_abc_")):
                        self.into(f"{base.__name__}.{name}", value)

    def _into_functions(self, value: Any) -> None:
        for function in _functions(value):
            module = function.__globals__.get("__name__")
            if self._is_new(function) and is_own(module, self._home):
                self._into_names(function)
                self._into_kept(function)

    def _into_names(self, function: FunctionType) -> None:
        """Walk on to the globals that a function names, of its module and of those it names."""
        names, scope = set(_names(function.__code__)), function.__globals__
        modules = [value for name in names if isinstance(value := scope.get(name), ModuleType)]
        own = [vars(module) for module in modules if is_own(module.__name__, self._home)]
        for values in (scope, *own):
            for name in sorted(names & values.keys()):
                self.into(f"{name} of {_place(values)}", values[name])

    def _into_kept(self, function: FunctionType) -> None:
        """Walk on to what a function itself keeps: closure, defaults, attributes."""
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        kept = {name: cell.cell_contents for name, cell in cells if _is_full(cell)}
        kept |= function.__kwdefaults__ or {}
        kept |= {f"default {i}": v for i, v in enumerate(function.__defaults__ or ())}
        kept |= {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        for name, value in kept.items():
            self.into(f"{name} of {function.__qualname__}", value)

    def _is_new(self, code: object) -> bool:
        new = id(code) not in self._walked
        self._walked.add(id(code))
        return new


def _functions(value: Any) -> Iterator[FunctionType]:
    """Yield the functions that a value is, wraps or belongs to."""
    if isinstance(value, FunctionType):
        yield value
    if isinstance(value, ModuleType | nn.Module):
        return
    for name in FUNCTION_OF:
        inner = getattr(value, name, None)
        if isinstance(inner, FunctionType):
            yield from _functions(inner)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that code looks up, that of functions within it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _place(scope: dict[str, Any]) -> str:
    file = scope.get("__file__")
    return Path(file).name if file else str(scope.get("__name__"))


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # as of a name that is assigned later
        return False
