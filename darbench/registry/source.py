"""Hashes of the source that a routing or an encoder computes with.

They cover its file, what that uses of the user's, the files of its base classes, the modules of
darbench.routing that these use, and the definitions of operators; which kernel computes an
operator is a matter of `darbench.arithmetic`.
"""

import ast
import inspect
import linecache
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.registry.bundle import bundle_of
from darbench.registry.outside import READERS, looks_outside
from darbench.registry.reach import calls_of, constants_of, modules_of
from darbench.registry.syntax import code_of, names_read, names_written
from darbench.state.ownership import is_users

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
    """Return the hash of what is written, and of the values that this may not decide alone."""
    bundles = ((each, bundle_of(each)) for each in own_of(made))
    values = [bundle.values_of(each, Path(file_of(each))) for each, bundle in bundles if bundle]
    return written_hash(made, always, chain.from_iterable(values))


def written_hash(
    made: Callable, always: Iterable[str] = (), values: Iterable[tuple[str, str]] = ()
) -> str:
    """Return the `text_hash` of the whole file in which a class or function is written.

    Base classes count however the file names them: an attribute of a package is no import.
    """
    if not (texts := texts_of(made)):
        raise BadInput(
            f"the source of {made.__qualname__} cannot be found ({file_of(made)}); "
            "write it into a file or a notebook cell, for its hash travels with every result"
        )
    bases = getattr(made, "__mro__", (made,))[1:]
    elsewhere = [base.__module__ for base in bases if base.__module__ != made.__module__]
    parents = filter(None, map(_counting, elsewhere))
    own = own_of(made)
    texts = dict.fromkeys([*texts, *(text for each in own for text in texts_of(each))])
    data = sorted({*values, *(pair for each in own for pair in _data(each))})
    return text_hash(next(iter(texts)), [*always, *parents], [*texts][1:], data)


def own_of(made: Callable) -> list[Callable]:
    """A class or function, and those of its base classes that are the user's or a guest's."""
    bases = getattr(made, "__mro__", (made,))[1:]
    return [made, *(base for base in bases if _package(base) not in FIXED | {"darbench"})]


def text_hash(
    text: str,
    always: Iterable[str] = (),
    others: Sequence[str] = (),
    data: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the hash of the code of a source and of what it uses.

    Modules named in `always` count whether or not they are imported; `others` are the texts of
    other files of the user's, as those in which its base classes are written, and `data` are
    names and hashes of what is no code.
    """
    texts = [text, *others]
    modules = sorted({m for each in texts for m in used_modules(each, always)})
    read = frozenset().union(*map(names_read, texts))
    code = [code_of(each, read) for each in (*texts, *map(_text, modules))]
    return content_hash([*code, *map(list, data)])


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


def texts_of(made: Callable) -> list[str]:
    """Return the text in which it is written, then those of the user's modules that this uses.

    There is none for a compiled module.
    """
    bundle = bundle_of(made)
    return bundle.texts(Path(file_of(made))) if bundle else _texts_of_script(made)


def _data(made: Callable) -> list[tuple[str, str]]:
    """Return names and hashes of the user's other files that its module uses.

    Of a script, whose reads nobody hears, they are the values that it may have read; of a notebook
    cell those that come from other cells.
    """
    bundle, filename = bundle_of(made), file_of(made)
    if bundle:
        return bundle.contents(Path(filename))
    if os.path.isfile(filename):
        return constants_of(made) if is_users(filename) and _may_read(made) else []
    inside = names_written(_lines(filename))
    return [pair for pair in constants_of(made) if pair[0] not in inside]


def _may_read(made: Callable) -> bool:
    """Whether a script, or what it uses of the user's, may take values from elsewhere."""
    own = frozenset(name.partition(".")[0] for name in users_modules(made))
    texts = _texts_of_script(made)
    return any(looks_outside(text, own) or names_read(text) & READERS for text in texts)


def _package(made: Callable) -> str:
    return made.__module__.partition(".")[0]


def _lines(filename: str) -> str:
    """Return the present text of a file or a notebook cell; empty if there is none."""
    linecache.checkcache(filename)
    return "".join(linecache.getlines(filename))


def _texts_of_script(made: Callable) -> list[str]:
    """Return the text of its file or cell, then those of the user's code that this uses."""
    modules, own = users_modules(made), file_of(made)
    cells = sorted({*map(file_of, calls_of(made))} - {own}) if is_users(own) else []
    texts = map(_lines, (own, *cells, *map(modules.get, sorted(modules))))
    return [text for text in texts if text]


def users_modules(made: Callable) -> dict[str, str]:
    """Return the files of the user's modules that its file imports, or its code reads, by name.

    In a notebook the imports stand in another cell. None is of a library or of darbench.
    """
    own = file_of(made)
    if not is_users(own):
        return {}
    files, waiting = (
        {},
        sorted({*_imports(_lines(own), _folder(made.__module__)), *modules_of(made)}),
    )
    while waiting:
        name = waiting.pop()
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and file not in (own, *files.values()) and is_users(file):
            files[name] = file
            waiting += sorted(_imports(_lines(file), _folder(name)))
    return files


@cache
def _imported(text: str) -> frozenset[str]:
    """The modules of darbench that a source imports and whose code counts."""
    return frozenset(filter(None, map(_counting, _imports(text))))


def _folder(module: str) -> str:
    """The package from which a module's relative imports start."""
    return getattr(sys.modules.get(module), "__package__", None) or ""


@cache
def _imports(text: str, package: str = "") -> frozenset[str]:
    """The dotted names that a source imports, relative ones if its package is given."""
    try:
        return frozenset(_import_names(ast.parse(text), package))
    except (SyntaxError, ValueError):  # such as a notebook cell with magic commands
        return frozenset()


def _import_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the dotted names of imports: a for `import a`, and a and a.b for `from a import b`.

    For an operator only a is yielded: its functions may have the names of its modules.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        module = _module_of(node, package) if isinstance(node, ast.ImportFrom) else None
        if module:
            yield module
            if not _is_operator(module):
                yield from (f"{module}.{alias.name}" for alias in node.names)


def _module_of(node: ast.ImportFrom, package: str) -> str | None:
    """The module from which names are imported; None if it is relative to no package."""
    if not node.level:
        return node.module
    above = package.split(".")[: package.count(".") + 2 - node.level]
    return ".".join([*above, *filter(None, [node.module])]) if package and above else None


def _counting(name: str) -> str | None:
    """Return the module whose code counts where `name` is imported, or None.

    For an operator it is the definition. The package of all routings does not count, for it
    imports every one of them.
    """
    if not name.startswith(("darbench.routing.", "darbench.ops.")):
        return None
    name = f"{name}.definition" if _is_operator(name) else name
    return name if module_file(name) else None


def _is_operator(name: str) -> bool:
    """Whether `name` is a package within `darbench.ops`."""
    return name.startswith("darbench.ops.") and (_path(name) / "__init__.py").is_file()


@cache
def _text(module: str) -> str:
    return module_file(module).read_text(encoding="utf-8")


def module_file(module: str) -> Path | None:
    path = _path(module)
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


def _path(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:])
