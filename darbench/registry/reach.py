"""What the code of a class or function reads of the globals around it, by following its calls."""

import hashlib
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from darbench.state.ownership import is_users

PLAIN = (bool, int, float, complex, str, bytes, type(None))


def globals_of(made: Callable) -> Iterator[tuple[str, Any]]:
    """Yield the globals that its code reads, by name, those within what it calls first.

    Only code of the user's is followed, not what libraries do with it.
    """
    waiting, found = [made], {}
    while waiting:
        for function in _functions(waiting.pop()):
            scope = function.__globals__
            if is_users(scope.get("__file__") or function.__code__.co_filename):
                names = _names(function.__code__) & scope.keys() - found.keys()
                found |= {name: scope[name] for name in sorted(names)}
                waiting += [scope[name] for name in sorted(names)]
    yield from reversed(found.items())


def modules_of(made: Callable) -> list[str]:
    """Return the names of modules whose members it reads, or which it reads themselves."""
    values = [value for _, value in globals_of(made)]
    names = (v.__name__ if isinstance(v, ModuleType) else _module(v) for v in values)
    return [name for name in names if isinstance(name, str)]


def calls_of(made: Callable) -> list[Callable]:
    """Return the functions and classes of its module that its code reads."""
    values = (value for _, value in globals_of(made))
    kinds = (type, FunctionType)
    return [v for v in values if isinstance(v, kinds) and _module(v) == made.__module__]


def constants_of(made: Callable) -> list[tuple[str, str]]:
    """Return the numbers, texts and arrays that its code reads, by name, as hashes."""
    texts = ((name, _text(value)) for name, value in globals_of(made))
    return [(name, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts if text]


def _text(value: Any) -> str:
    """The whole value as a text; empty for what is no data."""
    if hasattr(type(value), "tolist"):  # an array or a tensor
        return f"{value.dtype} {value.tolist()}"
    inner = value.items() if isinstance(value, dict) else value
    if isinstance(value, (tuple, list, dict)):
        return f"{type(value).__name__}({','.join(map(_text, inner))})"
    return repr(value) if isinstance(value, PLAIN) else ""


def _module(value: Any) -> Any:
    return getattr(value, "__module__", None)


def _functions(made: Any) -> list[FunctionType]:
    members = vars(made).values() if isinstance(made, type) else [made]
    plain = (getattr(m, "fget", None) or getattr(m, "__func__", m) for m in members)
    return [member for member in plain if isinstance(member, FunctionType)]


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return {*code.co_names}.union(*map(_names, inner))
