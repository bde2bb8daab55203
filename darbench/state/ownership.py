"""Whose code a module is: a library's, or the user's own, which may hold anything."""

import os
import site
import sys
import sysconfig
from functools import cache
from pathlib import Path

NAMES = {*sys.stdlib_module_names, "darbench", "torch", "numpy"} - {"__main__"}  # of libraries
SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr/lib", "/usr/share")
LIBRARIES = [
    *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
    *site.getsitepackages(),
    site.getusersitepackages(),
    str(Path(__file__).parents[1]),  # darbench itself
]
SHARED = {"site-packages", "dist-packages"}
_PLACES = (*SYSTEM, *(os.path.realpath(each) for each in LIBRARIES if each))


@cache
def is_users(path: str | Path) -> bool:
    """Whether a file is a user's: neither the system's, nor Python's, nor of a package."""
    real = Path(os.path.realpath(path))
    return not (SHARED & {*real.parts} or any(map(real.is_relative_to, _PLACES)))


def is_own(module: str | None, home: str = "") -> bool:
    """Whether a module, by its name, is a user's: by its file, or if it has none by its name.

    One of an installed package is, if it lies in `home`, the package that offers the routing.
    """
    top = (module or "builtins").partition(".")[0]
    file = getattr(sys.modules.get(module or "builtins"), "__file__", None)
    named = top not in NAMES
    return is_users(file) if file and top != home else named


def home_of(cls: type) -> str:
    """Return the top package of a class's module."""
    return cls.__module__.partition(".")[0]
