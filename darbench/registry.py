"""Names of routings: who has which, with which parameters, from which source."""

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from darbench.errors import BadInput, unknown

VERBS = ("begin", "read", "write")
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
    """Class decorator: makes a Routing known under `name`. The same source twice is a no-op."""

    def decorate(cls: type) -> type:
        verbs = {verb: getattr(cls, verb, None) for verb in VERBS}
        missing = [
            verb for verb, method in verbs.items()
            if not callable(method) or getattr(method, "__isabstractmethod__", False)
        ]  # fmt: skip
        if missing:
            raise BadInput(f"routing '{name}' ({cls.__name__}) lacks {', '.join(missing)}")
        known = _ROUTINGS.get(name)
        if known is not None and _source_hash(known) != _source_hash(cls):
            raise BadInput(
                f"a routing '{name}' exists already: {known.__module__}.{known.__name__}"
            )
        cls.name = name
        _ROUTINGS[name] = cls
        return cls

    return decorate


def routings() -> dict[str, type]:
    """All registered routings by name; the built-in ones are imported first."""
    import_module("darbench.routing")
    return dict(sorted(_ROUTINGS.items()))


def routing(name: str) -> type:
    known = routings()
    if name not in known:
        raise unknown("routing", name, known)
    return known[name]


def signature(name: str) -> Signature:
    """What a search space must know of a routing; the constructor's keyword-only arguments."""
    init = routing(name).__init__
    hints = get_type_hints(init)
    arguments = inspect.signature(init).parameters.values()
    searchable = [a for a in arguments if a.kind is a.KEYWORD_ONLY]
    bare = [a.name for a in searchable if a.default is a.empty]
    if bare:
        raise BadInput(f"routing '{name}': parameter {bare[0]} needs a default")
    found = {a.name: parameter(a.name, a.default, hints.get(a.name, Any)) for a in searchable}
    return Signature(name=name, parameters=found, code_hash=_source_hash(routing(name)))


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


def _source_hash(cls: type) -> str:
    try:
        source = Path(inspect.getfile(cls)).read_bytes()
    except (OSError, TypeError):  # defined in a notebook or a string
        source = inspect.getsource(cls).encode()
    return hashlib.sha256(source).hexdigest()[:16]
