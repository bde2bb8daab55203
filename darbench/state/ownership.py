"""Whose code a module is: a library's, or the user's own, which may hold anything."""

import sys
import sysconfig
from pathlib import Path

LIBRARIES = {*sys.stdlib_module_names, "darbench", "torch", "numpy"} - {"__main__"}
_INSTALLED = [
    Path(path).resolve()
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "platstdlib", "purelib", "platlib")
]


def is_own(module: str | None, home: str = "") -> bool:
    """Whether a module, by its name, is a user's.

    One of an installed package is, if it lies in `home`, the package that offers the routing.
    """
    top = (module or "builtins").partition(".")[0]
    if top in LIBRARIES:
        return False
    return top == home or not _is_installed(module)


def home_of(cls: type) -> str:
    """Return the top package of a class's module."""
    return cls.__module__.partition(".")[0]


def _is_installed(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and any(map(Path(file).resolve().is_relative_to, _INSTALLED))
