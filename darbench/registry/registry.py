"""A registry: who has which name, where it is written, and the hash of its source."""

import warnings
from collections.abc import Callable, ItemsView, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from darbench.errors import BadInput, unknown
from darbench.registry.source import file_of, source_hash

GROUP = "darbench.routings"  # entry points of installed packages that offer routings


class Registry:
    """Classes or functions of one kind by name: the built-in ones, those of installed packages,
    and what a user's file, script or notebook registers."""

    def __init__(self, kind: str, always: tuple[str, ...] = ()):
        """`always` names modules that are part of the source of each of them."""
        self.kind, self.always = kind, always
        self._made: dict[str, Callable] = {}

    def register(self, name: str, made: Callable) -> None:
        """Make a class or function known under `name`.

        The same source twice is a no-op; what is written again in the same place, as when a
        notebook cell runs anew, replaces the old. BadInput if the name is taken or is none.
        """
        if not name.isidentifier():
            raise BadInput(f"{self.kind} name '{name}': use letters, digits and _")
        known = self._made.get(name, made)
        if _place(known) != _place(made) and not _same(known, made):
            place = ".".join(_place(known))
            raise BadInput(f"{self.kind} '{name}' exists already: {place}; choose another name")
        self._made[name] = made

    def __bool__(self) -> bool:
        """Whether anything is known yet, without importing more."""
        return bool(self._made)

    def names(self) -> list[str]:
        """All names in alphabetical order; built-in and installed ones are imported first."""
        load_importable()
        return sorted(self._made)

    def items(self) -> ItemsView[str, Callable]:
        """Everything by name, in alphabetical order."""
        return {name: self._made[name] for name in self.names()}.items()

    def get(self, name: str) -> Callable:
        """What has this name; BadInput with near names if nothing has."""
        names = self.names()
        if name not in names:
            raise unknown(self.kind, name, names)
        return self._made[name]

    def foreign(self) -> dict[str, Callable]:
        """What another process gets by value only: that of a user's file, script or notebook.

        It can import what belongs to darbench and to packages with entry points.
        """
        offering = {"darbench", *(_package(point) for point in guests())}
        return {
            n: made for n, made in self.items() if _place(made)[0].split(".")[0] not in offering
        }

    def adopt(self, made: Mapping[str, Callable]) -> None:
        """Make what is `foreign` to another process known here."""
        load_importable()
        self._made.update(made)

    def source_hash(self, name: str) -> str:
        return source_hash(self.get(name), self.always)

    def file_of(self, name: str) -> str:
        return file_of(self.get(name))


def guests() -> EntryPoints:
    """What installed packages offer."""
    return entry_points(group=GROUP)


@cache
def load_importable() -> None:
    """Import the built-in routings, then what installed packages offer.

    A package whose routings fail to load is passed over with a warning.
    """
    import_module("darbench.routing")
    for point in guests():
        try:
            point.load()
        except Exception as error:
            owner = point.dist.name if point.dist else point.value
            warnings.warn(f"routings of {owner} ({point.value}): {error}", stacklevel=2)


def _package(point: EntryPoint) -> str:
    return point.module.partition(".")[0]


def _place(made: Callable) -> tuple[str, str]:
    return made.__module__, made.__qualname__


def _same(one: Callable, two: Callable) -> bool:
    return one.__qualname__ == two.__qualname__ and source_hash(one) == source_hash(two)
