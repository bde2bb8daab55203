"""The facts of a routing to show: its text, its search parameters, and its costs."""

import inspect
import sys
from dataclasses import dataclass
from typing import Any

from darbench.cache import remembered
from darbench.commands.cite import bibtex
from darbench.errors import BadInput
from darbench.registry import is_built_in


@dataclass(frozen=True, kw_only=True)
class RoutingFacts:
    """Facts of a routing as plain values; overheads are relative to `add`, at the defaults."""

    name: str
    paper: str
    title: str  # the first line of its module's docstring
    text: str  # the docstring of its class
    parameters: dict[str, dict[str, Any]]  # {default, values} by name; values are choices or types
    overheads: dict[str, dict[str, float]]  # {parameters, flops} by SiT size
    equals_add: str
    citation: str  # BibTeX


def routing_facts(name: str) -> RoutingFacts:
    """Return the facts of a routing; BadInput if none has that name, or it cannot be built.

    Those of a built-in one are kept on disk, those of a user's own are computed every time.
    """
    if is_built_in(name):
        return RoutingFacts(**remembered(f"routing-{name}", name, lambda: _facts(name)))
    try:
        return RoutingFacts(**_facts(name))
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        from darbench.registry import ROUTINGS
        from darbench.testing.failure import explain

        raise BadInput(f"routing '{name}': {explain(error, ROUTINGS.get(name))}") from error


def _facts(name: str) -> dict[str, Any]:
    from darbench.metrics.cost.overhead import PUBLISHED, overhead  # imports torch
    from darbench.registry import ROUTINGS, signature

    cls = ROUTINGS.get(name)
    costs = {size: overhead(cls, {}, size) for size in PUBLISHED}
    return {
        "name": name,
        "paper": cls.paper,
        "title": (sys.modules[cls.__module__].__doc__ or "").strip().partition("\n")[0],
        "text": inspect.cleandoc(cls.__doc__ or ""),
        "parameters": {
            p.name: {"default": p.default, "values": values(p)}
            for p in signature(name).parameters.values()
        },
        "overheads": {
            size: {"parameters": cost.parameters, "flops": cost.flops}
            for size, cost in costs.items()
        },
        "equals_add": costs[PUBLISHED[0]].equals_add,
        "citation": bibtex(name, cls.paper) if cls.paper else "-",
    }


def values(parameter: Any) -> list[Any] | str:
    """Return the choices of a parameter, or the names of its types."""
    if parameter.choices:
        return list(parameter.choices)
    names = ("null" if t is type(None) else t.__name__ for t in parameter.types)
    return " or ".join(names) or "any"
