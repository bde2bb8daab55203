"""The checks of `darbench.testing` on a routing, by name or file: `darbench check`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch

from darbench.errors import BadInput
from darbench.registry import ROUTINGS, signature
from darbench.search.compose import routing_parameters
from darbench.testing import check_routing
from darbench.testing.rehearsal import load_rehearsed


def conformance(routing: str, overrides: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the results as plain values.

    A routing by name is checked at the given parameters or its defaults, the routings of a file
    also in every setting that their classes name.
    """
    from_file = routing.endswith(".py")
    names = load_rehearsed(routing) if from_file else [routing]
    if not names:
        raise BadInput(f"{routing}: registers encoders alone, and check is of routings")
    given, others = routing_parameters(overrides)
    if others:
        raise BadInput(f"'{others[0]}': check takes parameters of the routing, params.KEY=VALUE")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are tiny
    try:
        return [
            {"routing": name, "params": params, **asdict(result)}
            for name in names
            for params in (_settings(name) if from_file and not given else [given])
            for result in check_routing(ROUTINGS.get(name), signature(name).resolve(params))
        ]
    finally:
        torch.set_num_threads(threads)


def _settings(name: str) -> list[dict[str, Any]]:
    """The defaults, and the settings that the class names, each once."""
    chosen, resolved = [], []
    for params in [{}, *_named(name)]:
        whole = signature(name).resolve(params)
        if whole not in resolved:
            chosen.append(params)
            resolved.append(whole)
    return chosen


def _named(name: str) -> list[Mapping[str, Any]]:
    """The settings that the class names: none if its `settings` are something of its author's."""
    named = getattr(ROUTINGS.get(name), "settings", ())
    parameters = isinstance(named, (tuple, list)) and all(isinstance(p, Mapping) for p in named)
    return [*named] if parameters else []
