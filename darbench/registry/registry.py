"""A registry: classes or functions by name, where they are written, and their source hashes."""

import warnings
from collections.abc import Callable, Collection, ItemsView, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from darbench.errors import BadInput, unknown
from darbench.registry.source import file_of, source_hash, written_hash

GROUP = "darbench.routings"  # the entry points by which packages offer routings


class Registry:
    """Classes or functions of one kind by name.

    They are the built-in ones, those of installed packages, and those that a user's file, script
    or notebook registers.
    """

    def __init__(self, kind: str, always: tuple[str, ...] = ()):
        """Make an empty registry; `always` names modules that are part of each source."""
        self.kind, self.always = kind, always
        self._made: dict[str, Callable] = {}

    def register(self, name: str, made: Callable) -> None:
        """Register a class or function under `name`.

        The same source twice is a no-op; one that is written again in the same place, as when a
        notebook cell runs anew, replaces the old. BadInput if the name is taken or no identifier.
        """
        if not name.isidentifier():
            raise BadInput(f"{self.kind} name '{name}': use letters, digits and _")
        old = self._made.get(name, made)
        if _path(old) != _path(made) and not _same(old, made):
            path = ".".join(_path(old))
            raise BadInput(f"{self.kind} '{name}' exists already: {path}; choose another name")
        self._made[name] = made

    def __bool__(self) -> bool:
        """Whether anything is registered yet; nothing more is imported."""
        return bool(self._made)

    def names(self) -> list[str]:
        """Return all names in alphabetical order; built-in and installed ones are imported."""
        load_importable()
        return sorted(self._made)

    def items(self) -> ItemsView[str, Callable]:
        """Return everything by name, in alphabetical order."""
        return {name: self._made[name] for name in self.names()}.items()

    def get(self, name: str) -> Callable:
        """Return what has this name; BadInput with near names if nothing has."""
        names = self.names()
        if name not in names:
            raise unknown(self.kind, name, names)
        return self._made[name]

    def foreign(self) -> dict[str, Callable]:
        """Return what a user's file, script or notebook has registered.

        Another process cannot import it, and must be sent it by value; the rest belongs to
        darbench and to packages with entry points.
        """
        return {name: made for name, made in self.items() if not is_importable(made)}

    def adopt(self, made: Mapping[str, Callable]) -> None:
        """Register what is `foreign` in another process."""
        load_importable()
        self._made.update(made)

    @contextmanager
    def without(self, names: Collection[str]) -> Iterator[None]:
        """Forget some names, and afterwards everything that was registered meanwhile."""
        before = self._made
        self._made = {name: made for name, made in before.items() if name not in names}
        try:
            yield
        finally:
            self._made = before

    def source_hash(self, name: str) -> str:
        return source_hash(self.get(name), self.always)

    def file_of(self, name: str) -> str:
        return file_of(self.get(name))


def is_importable(made: Callable) -> bool:
    """Whether something belongs to darbench or to a package with entry points."""
    offering = {"darbench", *(_package(point) for point in guests())}
    return made.__module__.partition(".")[0] in offering


def guests() -> EntryPoints:
    """The entry points that installed packages offer."""
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


def _path(made: Callable) -> tuple[str, str]:
    return made.__module__, made.__qualname__


def _same(one: Callable, two: Callable) -> bool:
    """Whether two are written in the same file, as when two others import it, or are alike."""
    named = one.__qualname__ == two.__qualname__
    return named and (file_of(one) == file_of(two) != "" or written_hash(one) == written_hash(two))
