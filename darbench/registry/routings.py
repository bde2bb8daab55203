"""Routings by name, and their search parameters."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from darbench.errors import BadInput
from darbench.registry.parameters import Signature, parameter
from darbench.registry.registry import Registry
from darbench.registry.source import VERBS

# The base class is part of every routing's source: its defaults decide numbers.
ROUTINGS = Registry("routing", always=("darbench.routing.base",))


def register(name: str) -> Callable[[type], type]:
    """Class decorator that registers a Routing under `name`.

    The same source twice is a no-op; a class defined again in the same place, as when a notebook
    cell runs anew, replaces the old one. BadInput if the name is taken, a verb is missing, or the
    constructor is not `(self, sites, width, *, ...)` with a default for every parameter.
    """

    def decorate(cls: type) -> type:
        _check_verbs(name, cls)
        _check_constructor(name, cls)
        ROUTINGS.register(name, cls)
        cls.name = name
        return cls

    return decorate


def _check_verbs(name: str, cls: type) -> None:
    methods = {verb: getattr(cls, verb, None) for verb in VERBS}
    missing = [
        verb
        for verb, method in methods.items()
        if not callable(method) or getattr(method, "__isabstractmethod__", False)
    ]
    if missing:
        raise BadInput(f"routing '{name}' ({cls.__name__}) lacks {', '.join(missing)}")


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


def signature(name: str) -> Signature:
    """The signature of a routing, which a search space is checked against."""
    init = ROUTINGS.get(name).__init__
    try:
        hints = get_type_hints(init)
    except Exception as error:
        raise BadInput(f"routing '{name}': annotation of its constructor: {error}") from None
    arguments = inspect.signature(init).parameters.values()
    searchable = [a for a in arguments if a.kind is a.KEYWORD_ONLY]
    made = {a.name: parameter(a.name, a.default, hints.get(a.name, Any)) for a in searchable}
    return Signature(name=name, parameters=made, code_hash=ROUTINGS.source_hash(name))
