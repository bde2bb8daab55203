"""Hashes of the source that a routing or an encoder computes with.

They cover its file, the modules of darbench.routing that the file uses, and the definitions of
operators; which kernel computes an operator is a matter of `darbench.arithmetic`.
"""

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.registry.syntax import code_of

VERBS = ("begin", "read", "write")
PACKAGE = Path(__file__).parents[1]


def file_of(made: Callable) -> str:
    """Return the file, or the notebook cell, in which a class or function is written."""
    file = getattr(sys.modules.get(made.__module__), "__file__", None)
    if file:
        return file
    own = [made, *vars(made).values(), *(getattr(made, verb, None) for verb in VERBS)]
    return next(f for f in own if inspect.isfunction(f)).__code__.co_filename


def source_hash(made: Callable, always: Iterable[str] = ()) -> str:
    """Return the `text_hash` of the whole file in which a class or function is written."""
    filename = file_of(made)
    linecache.checkcache(filename)
    text = "".join(linecache.getlines(filename))
    if not text:
        raise BadInput(
            f"the source of {made.__qualname__} cannot be found ({filename}); "
            "write it into a file or a notebook cell, for its hash travels with every result"
        )
    return text_hash(text, always)


def text_hash(text: str, always: Iterable[str] = ()) -> str:
    """Return the hash of the code of a source and of what it uses.

    Modules named in `always` count whether or not they are imported.
    """
    return content_hash([code_of(text), *(code_of(_text(m)) for m in used_modules(text, always))])


def used_modules(text: str, always: Iterable[str] = ()) -> list[str]:
    """Return the modules of darbench that decide what the source computes, in a fixed order."""
    used: set[str] = set()
    waiting = [*_imported(text), *always]
    while waiting:
        module = waiting.pop()
        if module not in used:
            used.add(module)
            waiting += _imported(_text(module))
    return sorted(used)


@cache
def _imported(text: str) -> frozenset[str]:
    """The modules that a source imports and whose code counts."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # such as a notebook cell with magic commands
        return frozenset()
    return frozenset(filter(None, map(_counting, _import_names(tree))))


def _import_names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names of imports: a for `import a`, and a and a.b for `from a import b`.

    For an operator only a is yielded: its functions may have the names of its modules.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if not _is_operator(node.module):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _counting(name: str) -> str | None:
    """Return the module whose code counts where `name` is imported, or None.

    For an operator it is the definition. The package of all routings does not count, for it
    imports every one of them.
    """
    if not name.startswith(("darbench.routing.", "darbench.ops.")):
        return None
    name = f"{name}.definition" if _is_operator(name) else name
    return name if _file(name) else None


def _is_operator(name: str) -> bool:
    """Whether `name` is a package within `darbench.ops`."""
    return name.startswith("darbench.ops.") and (_path(name) / "__init__.py").is_file()


@cache
def _text(module: str) -> str:
    return _file(module).read_text(encoding="utf-8")


def _file(module: str) -> Path | None:
    path = _path(module)
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


def _path(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:])
