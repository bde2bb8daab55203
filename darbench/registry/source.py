"""Hashes of the source that a routing or an encoder computes with.

They cover its file, those of its base classes, the modules of darbench.routing that these use,
and the definitions of operators; which kernel computes an operator is a matter of
`darbench.arithmetic`.
"""

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.registry.syntax import code_of, names_read

VERBS = ("begin", "read", "write")
FIXED = {*sys.stdlib_module_names, "torch"}  # packages whose version is part of the environment
PACKAGE = Path(__file__).parents[1]


def file_of(made: Callable) -> str:
    """Return the file, or the notebook cell, in which a class or function is written.

    It is empty where nothing says it, as for a class without functions in a notebook.
    """
    file = getattr(sys.modules.get(made.__module__), "__file__", None)
    if file:
        return file
    own = [made, *vars(made).values(), *(getattr(made, verb, None) for verb in VERBS)]
    return next((f.__code__.co_filename for f in own if inspect.isfunction(f)), "")


def source_hash(made: Callable, always: Iterable[str] = ()) -> str:
    """Return the `text_hash` of the whole file in which a class or function is written.

    Base classes count however the file names them: an attribute of a package is no import.
    """
    filename = file_of(made)
    text = _lines(filename)
    if not text:
        raise BadInput(
            f"the source of {made.__qualname__} cannot be found ({filename}); "
            "write it into a file or a notebook cell, for its hash travels with every result"
        )
    bases = [base for base in getattr(made, "__mro__", ()) if base.__module__ != made.__module__]
    parents = filter(None, (_counting(base.__module__) for base in bases))
    return text_hash(text, [*always, *parents], _texts_of_bases(made))


def text_hash(text: str, always: Iterable[str] = (), bases: Sequence[str] = ()) -> str:
    """Return the hash of the code of a source and of what it uses.

    Modules named in `always` count whether or not they are imported; `bases` are the texts of
    other files in which its base classes are written.
    """
    texts = [text, *bases]
    modules = sorted({m for each in texts for m in used_modules(each, always)})
    read = frozenset().union(*map(names_read, texts))
    return content_hash([code_of(each, read) for each in (*texts, *map(_text, modules))])


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


def _texts_of_bases(made: Callable) -> list[str]:
    """Return the texts of a user's or a package's other files in which bases are written."""
    bases = getattr(made, "__mro__", ())
    files = [file_of(b) for b in bases if _package(b) not in FIXED | {"darbench"}]
    others = dict.fromkeys(file for file in files if file != file_of(made))
    return [text for text in map(_lines, others) if text]  # none for a compiled module


def _package(made: Callable) -> str:
    return made.__module__.partition(".")[0]


def _lines(filename: str) -> str:
    """Return the present text of a file or a notebook cell; empty if there is none."""
    linecache.checkcache(filename)
    return "".join(linecache.getlines(filename))


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
