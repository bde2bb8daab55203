"""Classes and functions of a script or notebook, which another process gets by value."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cloudpickle

from darbench.errors import BadInput
from darbench.registry.reach import globals_of
from darbench.registry.source import users_modules


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
            kept = next((f"global {n}" for n, v in globals_of(made) if not _travels(v)), "class")
            raise BadInput(
                f"{name}: its {kept} cannot be sent to a worker process ({error}); make that in "
                "the constructor, or write all into a file of its own, for --load"
            ) from None


@contextmanager
def _modules_by_value(made: Callable) -> Iterator[None]:
    """Have the modules of the user's that it uses pickled whole; `__main__` is in any case."""
    modules = [
        sys.modules[name] for name in ({made.__module__, *users_modules(made)} - {"__main__"})
    ]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _travels(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True
