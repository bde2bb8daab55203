"""Classes and functions of a script or notebook, which another process gets by value."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

import cloudpickle

from darbench.errors import BadInput
from darbench.registry.source import file_of, users_modules


def by_value(made: Mapping[str, Callable]) -> dict[str, bytes]:
    """Pickle classes or functions by name, with the user's modules that they are made of.

    BadInput names the global that cannot be pickled.
    """
    return {name: _pickled(name, each) for name, each in made.items()}


def _pickled(name: str, made: Callable) -> bytes:
    with _modules_by_value(made):
        try:
            return cloudpickle.dumps(made)
        except Exception as error:
            kept = next((f"global {n}" for n, v in _globals(made) if not _travels(v)), "class")
            raise BadInput(
                f"{name}: its {kept} cannot be sent to a worker process ({error}); make that in "
                "the constructor, or write all into a file of its own, for --load"
            ) from None


@contextmanager
def _modules_by_value(made: Callable) -> Iterator[None]:
    """Have the modules of the user's that it uses pickled whole; `__main__` is in any case."""
    modules = [sys.modules[name] for name in _modules(made) - {"__main__"}]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _modules(made: Callable) -> set[str]:
    return {made.__module__, *users_modules(file_of(made))}


def _travels(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True


def _globals(made: Callable) -> Iterator[tuple[str, Any]]:
    """Yield the globals that its code reads, those within what it calls first."""
    waiting, found, modules = [made], {}, _modules(made)
    while waiting:
        for function in _functions(waiting.pop()):
            scope = function.__globals__
            if scope["__name__"] in modules:  # and not a wrapper that a library has made
                names = _names(function.__code__) & scope.keys() - found.keys()
                found |= {name: scope[name] for name in names}
                waiting += [scope[name] for name in names]
    yield from reversed(found.items())


def _functions(made: Any) -> list[FunctionType]:
    members = vars(made).values() if isinstance(made, type) else [made]
    plain = (getattr(m, "fget", None) or getattr(m, "__func__", m) for m in members)
    return [member for member in plain if isinstance(member, FunctionType)]


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return {*code.co_names}.union(*map(_names, inner))
