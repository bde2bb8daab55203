"""Hashes of the source that a routing or an encoder computes with."""

import ast
import hashlib
import inspect
import linecache
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from darbench.errors import BadInput

VERBS = ("begin", "read", "write")
_HASHED = ("darbench.routing", "darbench.ops")  # changes there change what a routing computes


def file_of(made: Callable) -> str:
    """The file, or the notebook cell, in which a class or function is written."""
    file = getattr(sys.modules.get(made.__module__), "__file__", None)
    if file:
        return file
    own = [made, *vars(made).values(), *(getattr(made, verb, None) for verb in VERBS)]
    return next(f for f in own if inspect.isfunction(f)).__code__.co_filename


def source_hash(made: Callable) -> str:
    """Of the whole file in which a class or function is written, and of what that takes from
    darbench's routings and their operators."""
    filename = file_of(made)
    linecache.checkcache(filename)
    text = "".join(linecache.getlines(filename))
    if not text:
        raise BadInput(
            f"the source of {made.__qualname__} cannot be found ({filename}); "
            "write it into a file or a notebook cell, for its hash travels with every result"
        )
    used: dict[str, str] = {}
    waiting = list(_taken_from(text))
    while waiting:
        module = waiting.pop()
        if module not in used:
            used[module] = _module_text(module)
            waiting += _taken_from(used[module])
    texts = [text, *(used[module] for module in sorted(used))]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


@cache
def _taken_from(text: str) -> frozenset[str]:
    """Modules of darbench's routings and operators that a source imports."""
    found = set()
    try:
        nodes = ast.walk(ast.parse(text))
    except SyntaxError:  # a notebook cell with magic commands
        nodes = iter(())
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(m for m in found if m.startswith(_HASHED) and _module_text(m))


@cache
def _module_text(name: str) -> str:
    """The source of a module of darbench; empty if the name is that of something else."""
    base = Path(__file__).parents[1].joinpath(*name.split(".")[1:])
    files = (base.with_suffix(".py"), base / "__init__.py")
    return next((file.read_text() for file in files if file.is_file()), "")
