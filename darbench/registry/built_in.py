"""Facts of the built-in routings, without importing them, for that imports torch."""

from types import NoneType
from typing import Any

from darbench.cache import remembered
from darbench.registry.parameters import Parameter, Signature
from darbench.registry.registry import guests
from darbench.registry.routings import ROUTINGS, signature

# Types whose values come back from JSON as they were.
_TYPES = {each.__name__: each for each in (bool, int, float, str, NoneType)}


def signatures() -> dict[str, Signature]:
    """The signatures of all routings by name.

    They are read from disk while there are none but the built-in routings, with unchanged code;
    one with a parameter that JSON cannot hold, such as a tuple, is made anew.
    """
    if _others():
        return {name: signature(name) for name in ROUTINGS.names()}
    plain = remembered("signatures", None, _plain_signatures)
    return {n: _signature(n, **each) if each else signature(n) for n, each in plain.items()}


def is_built_in(name: str) -> bool:
    """Whether the routing of that name is in a file of darbench; BadInput if there is none."""
    if not _others() and name in signatures():
        return True
    return ROUTINGS.get(name).__module__.partition(".")[0] == "darbench"


def _others() -> bool:
    """Whether there may be routings that no hash of darbench covers.

    Where there are, the built-in ones have been imported too.
    """
    return bool(ROUTINGS) or bool(guests())


def _plain_signatures() -> dict[str, dict[str, Any] | None]:
    return {name: _plain(signature(name)) for name in ROUTINGS.names()}


def _plain(made: Signature) -> dict[str, Any] | None:
    """Return a signature in JSON's types; None if it would not come back as it was."""
    if not all(map(_can_be_kept, made.parameters.values())):
        return None
    parameters = [
        {
            "name": p.name,
            "default": p.default,
            "types": [t.__name__ for t in p.types],
            "choices": p.choices,
        }
        for p in made.parameters.values()
    ]
    return {"code_hash": made.code_hash, "parameters": parameters}


def _can_be_kept(p: Parameter) -> bool:
    return {*p.types, type(p.default), *map(type, p.choices)} <= {*_TYPES.values()}


def _signature(name: str, code_hash: str, parameters: list[dict[str, Any]]) -> Signature:
    made = {
        p["name"]: Parameter(
            name=p["name"],
            default=p["default"],
            types=tuple(_TYPES[t] for t in p["types"]),
            choices=tuple(p["choices"]),
        )
        for p in parameters
    }
    return Signature(name=name, parameters=made, code_hash=code_hash)
