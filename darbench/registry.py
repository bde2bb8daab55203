"""Names of routings: who has which, with which parameters, from which source."""

import ast
import hashlib
import inspect
import linecache
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from darbench.errors import BadInput, unknown

VERBS = ("begin", "read", "write")
GROUP = "darbench.routings"  # entry points of installed packages that offer routings
_HASHED = ("darbench.routing", "darbench.ops")  # changes there change what a routing computes
_ROUTINGS: dict[str, type] = {}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A search parameter of a routing: a keyword-only argument of its constructor."""

    name: str
    default: Any
    types: tuple[type, ...]  # none: whatever the constructor takes
    choices: tuple[Any, ...] = ()

    @property
    def real(self) -> bool:
        """A float, for which an integer will do."""
        return float in self.types and int not in self.types

    def read(self, value: Any) -> Any:
        """The value as the constructor takes it; BadInput unless it is of the declared type and
        among the declared choices.

        An integer for a float becomes one: 1 and 1.0 are the same configuration.
        """
        if self.choices:
            # bool is an int to Python, not to a researcher.
            if not any(value == c and type(value) is type(c) for c in self.choices):
                known = ", ".join(map(str, self.choices))
                raise BadInput(f"{self.name}={value}: must be one of {known}")
            return value
        if type(value) is int and self.real:
            return float(value)
        if self.types and type(value) not in self.types:
            wanted = " or ".join("null" if t is type(None) else t.__name__ for t in self.types)
            raise BadInput(f"{self.name}={value!r}: must be {wanted}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"{self.name}={value}: must be finite")
        return value


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The parameters of a routing and the hash of its source; enough to check a search space."""

    name: str
    parameters: Mapping[str, Parameter]
    code_hash: str

    def parameter(self, key: str) -> Parameter:
        if key not in self.parameters:
            if not self.parameters:
                raise BadInput(f"routing '{self.name}' has no parameters, got '{key}'")
            raise unknown(f"parameter of routing '{self.name}':", str(key), self.parameters)
        return self.parameters[key]

    def resolve(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, the given ones checked and the others at their defaults."""
        given = {key: self.parameter(key).read(value) for key, value in params.items()}
        return {key: given.get(key, p.default) for key, p in self.parameters.items()}


def register(name: str) -> Callable[[type], type]:
    """Class decorator: makes a Routing known under `name`.

    The same source twice is a no-op; a class defined again in the same place, as when a notebook
    cell runs anew, replaces the old one. BadInput if the name is taken, a verb is missing, or the
    constructor is not `(self, sites, width, *, ...)` with a default for every parameter.
    """

    def decorate(cls: type) -> type:
        if not name.isidentifier():
            raise BadInput(f"routing name '{name}': use letters, digits and _")
        verbs = {verb: getattr(cls, verb, None) for verb in VERBS}
        missing = [
            verb for verb, method in verbs.items()
            if not callable(method) or getattr(method, "__isabstractmethod__", False)
        ]  # fmt: skip
        if missing:
            raise BadInput(f"routing '{name}' ({cls.__name__}) lacks {', '.join(missing)}")
        _check_constructor(name, cls)
        known = _ROUTINGS.get(name)
        elsewhere = known is not None and _place(known) != _place(cls)
        same = elsewhere and known.__qualname__ == cls.__qualname__
        if elsewhere and not (same and source_hash(known) == source_hash(cls)):
            place = ".".join(_place(known))
            raise BadInput(f"a routing '{name}' exists already: {place}; choose another name")
        cls.name = name
        _ROUTINGS[name] = cls
        return cls

    return decorate


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _check_constructor(name: str, cls: type) -> None:
    arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]
    positional = [a for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)]
    if [a.name for a in positional] != ["sites", "width"]:
        shown = ", ".join(["self", *(a.name for a in positional)])
        raise BadInput(
            f"routing '{name}': its constructor is ({shown}, ...); it must be "
            "(self, sites, width, *, ...), search parameters after the star"
        )
    bare = [a.name for a in arguments if a.kind is a.KEYWORD_ONLY and a.default is a.empty]
    if bare:
        raise BadInput(f"routing '{name}': parameter {bare[0]} needs a default")


def routings() -> dict[str, type]:
    """All registered routings by name; built-in and installed ones are imported first."""
    _load_importable()
    return dict(sorted(_ROUTINGS.items()))


@cache
def _load_importable() -> None:
    """The built-in routings, then what installed packages offer; a package whose routings fail
    to load is passed over with a warning."""
    import_module("darbench.routing")
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            owner = point.dist.name if point.dist else point.value
            warnings.warn(f"routings of {owner} ({point.value}): {error}", stacklevel=2)


def foreign() -> dict[str, type]:
    """Routings of a user's file, script or notebook: another process gets them by value only.

    Those of darbench and of packages with entry points it can import itself.
    """
    return {name: cls for name, cls in routings().items() if is_foreign(cls)}


def is_foreign(made: Callable) -> bool:
    offering = {"darbench", *(p.module.partition(".")[0] for p in entry_points(group=GROUP))}
    return made.__module__.partition(".")[0] not in offering


def adopt(classes: Mapping[str, type]) -> None:
    """Make `foreign` routings of another process known here."""
    routings()
    _ROUTINGS.update(classes)


def routing(name: str) -> type:
    known = routings()
    if name not in known:
        raise unknown("routing", name, known)
    return known[name]


def signature(name: str) -> Signature:
    """What a search space must know of a routing; the constructor's keyword-only arguments."""
    init = routing(name).__init__
    try:
        hints = get_type_hints(init)
    except Exception as error:
        raise BadInput(f"routing '{name}': annotation of its constructor: {error}") from None
    arguments = inspect.signature(init).parameters.values()
    searchable = [a for a in arguments if a.kind is a.KEYWORD_ONLY]
    found = {a.name: parameter(a.name, a.default, hints.get(a.name, Any)) for a in searchable}
    return Signature(name=name, parameters=found, code_hash=source_hash(routing(name)))


def signatures() -> dict[str, Signature]:
    return {name: signature(name) for name in routings()}


def parameter(name: str, default: Any, hint: Any) -> Parameter:
    """From a type annotation: a class, a union of classes, or a Literal of choices."""
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        kinds = tuple({type(choice) for choice in choices})
        return Parameter(name=name, default=default, types=kinds, choices=choices)
    if hint is Any:
        return Parameter(name=name, default=default, types=())
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return Parameter(name=name, default=default, types=kinds)


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
    base = Path(__file__).parent.joinpath(*name.split(".")[1:])
    files = (base.with_suffix(".py"), base / "__init__.py")
    return next((file.read_text() for file in files if file.is_file()), "")
