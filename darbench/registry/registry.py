"""Names of routings: who has which, with which parameters, from which source."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_type_hints

from darbench.errors import BadInput, unknown
from darbench.registry.parameters import Signature, parameter
from darbench.registry.source import VERBS, source_hash

GROUP = "darbench.routings"  # entry points of installed packages that offer routings
_ROUTINGS: dict[str, type] = {}


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
            verb
            for verb, method in verbs.items()
            if not callable(method) or getattr(method, "__isabstractmethod__", False)
        ]
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
