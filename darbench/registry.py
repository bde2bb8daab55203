"""Names of routings: who has which, with which parameters, from which source."""

import hashlib
import inspect
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
    types: tuple[type, ...]
    choices: tuple[Any, ...] = ()

    def check(self, value: Any) -> None:
        """BadInput unless the value is of the declared type and among the declared choices."""
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise BadInput(f"{self.name}={value}: must be one of {known}")
        # bool is an int to Python, not to a researcher; an int will do for a float.
        fits = type(value) in self.types or (type(value) is int and float in self.types)
        if not self.choices and not fits:
            wanted = " or ".join(t.__name__ for t in self.types)
            raise BadInput(f"{self.name}={value!r}: must be {wanted}")


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
            raise unknown(f"parameter of routing '{self.name}'", key, self.parameters)
        return self.parameters[key]

    def resolve(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, the given ones checked and the others at their defaults."""
        for key, value in params.items():
            self.parameter(key).check(value)
        return {key: params.get(key, p.default) for key, p in self.parameters.items()}


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
    found = {a.name: _parameter(a.name, a.default, hints.get(a.name, Any)) for a in searchable}
    return Signature(name=name, parameters=found, code_hash=_source_hash(routing(name)))


def signatures() -> dict[str, Signature]:
    return {name: signature(name) for name in routings()}


def _parameter(name: str, default: Any, hint: Any) -> Parameter:
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        kinds = tuple({type(choice) for choice in choices})
        return Parameter(name=name, default=default, types=kinds, choices=choices)
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return Parameter(name=name, default=default, types=kinds)


def _source_hash(cls: type) -> str:
    try:
        source = Path(inspect.getfile(cls)).read_bytes()
    except (OSError, TypeError):  # defined in a notebook or a string
        source = inspect.getsource(cls).encode()
    return hashlib.sha256(source).hexdigest()[:16]
