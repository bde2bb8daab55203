"""Imports as the modules of a bundle see them: what lies beside the user's file is its own.

The modules of a bundle are in a package of their own, so two files can each have a `my_ops.py`.
Their `import my_ops` finds `PACKAGE.my_ops`, for the import statement takes `__import__` from the
builtins of the module in which it stands. Every module runs from its source, never from a cached
compilation, so what ran is what the hash covers.
"""

import builtins
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, resolve_name, spec_from_file_location
from pathlib import Path
from types import ModuleType

from darbench.registry.bundle import BUNDLES, Bundle
from darbench.state.ownership import is_users


def run_module(bundle: Bundle) -> ModuleType:
    """Run the user's file of a bundle as a module of its package, and return that.

    What it draws while it runs is the same in every process.
    """
    from darbench.state.generators import borrowed  # imports torch, as a routing does

    forget(bundle.package)
    BUNDLES[bundle.package] = bundle
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)
    folder = ModuleType(bundle.package)
    folder.__path__ = [str(bundle.path.parent)]
    sys.modules[bundle.package] = folder
    name = f"{bundle.package}.{bundle.path.stem.replace('.', '_')}"
    loader = Loader(name, str(bundle.path), bundle)
    module = module_from_spec(spec_from_file_location(name, bundle.path, loader=loader))
    sys.modules[name] = module
    with _left_as_it_was(folder), borrowed(0):
        loader.exec_module(module)
    return module


def forget(package: str) -> None:
    """Forget a bundle and its modules, as when its file is loaded again."""
    BUNDLES.pop(package, None)
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]


def lies_beside(bundle: Bundle, name: str) -> bool:
    """Whether a module of this name is the bundle's, although no library finds it."""
    first = name.partition(".")[0]
    return bool(first and PathFinder.find_spec(first, sys.modules[bundle.package].__path__))


@contextmanager
def _left_as_it_was(folder: ModuleType) -> Iterator[None]:
    """Leave `sys.path` and `sys.modules` as they were, but for the modules of libraries.

    What is added to the path is kept for imports of the bundle.
    """
    importlib.invalidate_caches()
    path, modules = [*sys.path], {**sys.modules}
    sys.path += folder.__path__  # for `importlib.import_module`
    try:
        yield
    finally:
        folder.__path__ += [e for e in sys.path if e not in path and e not in folder.__path__]
        sys.path[:] = path
        for name, module in [*sys.modules.items()]:
            if modules.get(name) is not module and _is_neighbour(module):
                del sys.modules[name]
                if name in modules:
                    sys.modules[name] = modules[name]


def _is_neighbour(module: object) -> bool:
    """Whether a module is a user's, and in no bundle."""
    file = getattr(module, "__file__", None)
    in_bundle = (getattr(module, "__name__", "")).partition(".")[0] in BUNDLES
    return bool(file) and not in_bundle and is_users(file)


class Finder:
    """The finder of modules in the packages of bundles."""

    @staticmethod
    def find_spec(name: str, path=None, target=None) -> ModuleSpec | None:
        bundle = BUNDLES.get(name.partition(".")[0])
        if not bundle or not path:
            return None
        spec = PathFinder.find_spec(name, path) or _found_elsewhere(name)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(name, spec.origin, bundle)
        elif spec and isinstance(spec.loader, ExtensionFileLoader):
            bundle.reads(Path(spec.origin), f"import {name.rpartition('.')[2]}")
        return spec


class Loader(SourceFileLoader):
    """A loader that runs the source which the bundle holds, with the imports of the bundle."""

    def __init__(self, name: str, path: str, bundle: Bundle):
        super().__init__(name, path)
        self.bundle = bundle

    def get_code(self, fullname: str):
        content = self.bundle.source(Path(self.path))
        return compile(content, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        own = Importer(self.bundle)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": own}
        super().exec_module(module)


class Importer:
    """The `__import__` of a bundle's modules."""

    def __init__(self, bundle: Bundle):
        self.bundle, self.package = bundle, bundle.package
        self.own: dict[str, bool] = {}  # what was found before, by the first part of a name

    def __call__(self, name, globals=None, locals=None, fromlist=(), level=0):
        first = name.partition(".")[0]
        if level or not self._is_own(first):
            found = builtins.__import__(name, globals, locals, fromlist, level)
        else:
            found = builtins.__import__(f"{self.package}.{name}", None, None, fromlist, 0)
            found = found if fromlist else sys.modules[f"{self.package}.{first}"]
        self._note(name, globals or {}, fromlist or (), level)
        return found

    def _is_own(self, first: str) -> bool:
        if first not in self.own:
            own = f"{self.package}.{first}" in sys.modules or self._lies_beside(first)
            self.own[first] = own
        return self.own[first]

    def _lies_beside(self, first: str) -> bool:
        """Whether a name is no library's and a user's module, beside the file or on the path."""
        spec = _found_by_all(first)
        if spec is not None and not is_users(_place(spec)):
            return False
        path = sys.modules[self.package].__path__
        path += [e for e in (*sys.path, os.getcwd()) if e not in path and is_users(e)]
        place = PathFinder.find_spec(first, path) or _found_elsewhere(f"{self.package}.{first}")
        return place is not None

    def _note(self, name: str, globals: Mapping, fromlist: tuple, level: int) -> None:
        """Note which files of the bundle a module uses by an import."""
        file = globals.get("__file__")
        if not file:  # as in `exec`
            return
        if level:
            package = globals.get("__package__") or globals["__name__"].rpartition(".")[0]
            name = resolve_name("." * level + name, package)
        else:
            name = f"{self.package}.{name}"
        parts = name.split(".")
        names = [".".join(parts[:n]) for n in range(2, len(parts) + 1)]
        names += [f"{name}.{each}" for each in fromlist]
        found = (getattr(sys.modules.get(each), "__file__", None) for each in names)
        used = self.bundle.uses.setdefault(Path(file), set())
        used.update(map(Path, filter(None, found)))


def _found_by_all(first: str) -> ModuleSpec | None:
    """What a name means to libraries."""
    if getattr(sys.modules.get(first), "__spec__", None):
        return sys.modules[first].__spec__
    others = (finder for finder in sys.meta_path if finder is not Finder)
    specs = (finder.find_spec(first, None, None) for finder in others)
    return next((spec for spec in specs if spec is not None), None)


def _found_elsewhere(name: str) -> ModuleSpec | None:
    """The user's module or package PACKAGE.first that lies on no path, but is found otherwise.

    So are those that are installed to be edited.
    """
    first = name.partition(".")[2]
    spec = None if "." in first else _found_by_all(first)
    if spec is None or not spec.has_location or not is_users(spec.origin):
        return None
    folders = spec.submodule_search_locations
    return spec_from_file_location(name, spec.origin, submodule_search_locations=folders)


def _place(spec: ModuleSpec) -> str:
    """The file of a module or the folder of a package; Python's own if it has neither."""
    folders = [*(spec.submodule_search_locations or ())]
    file = spec.origin if spec.has_location else None
    return file or (folders[0] if folders else os.__file__)
