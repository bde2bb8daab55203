"""Small models and routings, and the settings of the built-in routings that tests loop over."""

from functools import partial

from darbench.model.sit import SiT
from darbench.registry import ROUTINGS
from darbench.routing.base import Routing

# Every built-in routing in every setting that takes another path through its code.
SETTINGS: list[tuple[str, dict]] = [
    (name, params)
    for name, cls in ROUTINGS.items()
    if cls.__module__.startswith("darbench.routing.")
    for params in cls.settings
]


def name_of(setting: tuple[str, dict]) -> str:
    name, params = setting
    return "-".join([name, *map(str, params.values())])


def routing_of(setting: tuple[str, dict], sites: int = 8, width: int = 16) -> Routing:
    name, params = setting
    return ROUTINGS.get(name)(sites, width, **params)


def sit(setting: tuple[str, dict] = ("add", {}), **changes) -> SiT:
    """A SiT of 4 blocks, 16 tokens and width 16 for 8 x 8 images; `changes` to its arguments."""
    sizes = {
        "depth": 4,
        "width": 16,
        "heads": 2,
        "patch": 2,
        "side": 8,
        "channels": 3,
        "classes": 5,
    }
    name, params = setting
    return SiT(partial(ROUTINGS.get(name), **params), **sizes | changes)
