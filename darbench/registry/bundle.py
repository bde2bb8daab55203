"""A bundle: a user's file with everything of the user's that decides what it computes.

It grows while the file is loaded and its routings are run once. After that it is closed: what its
code opens for the first time is in no hash and reaches no worker, so it is refused.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import decode_source
from pathlib import Path
from typing import NoReturn

from darbench.errors import BadInput
from darbench.registry.outside import looks_outside
from darbench.registry.syntax import code_of


@dataclass(eq=False)
class Bundle:
    path: Path  # the user's file
    package: str  # the package of its modules, which no other file sees
    sources: dict[Path, bytes] = field(default_factory=dict)  # modules, as they were run
    # Hashes of the contents of other files that were opened, empty where there was none.
    opened: dict[Path, str] = field(default_factory=dict)
    # Files that the code of a module imports or opens, by its file.
    uses: dict[Path, set[Path]] = field(default_factory=dict)
    apart: set[Path] = field(default_factory=set)  # files that the identity of a trial covers
    # Hashes of what a registered class or function held once it had run, by name.
    values: dict[Callable, dict[str, str]] = field(default_factory=dict)
    closed: bool = False
    refused: str = ""  # what was refused first, for the user's code may catch that

    @property
    def data(self) -> dict[Path, str]:
        """The hashes of the other files, by their path."""
        return {path: content for path, content in self.opened.items() if content}

    def source(self, path: Path) -> bytes:
        """Return the content of a module that is about to run, which stays as it is now."""
        if path not in self.sources:
            if self.closed:
                self._refuse(_late(f"{self.path.name}: imports {path.name}", "at the top"))
            self.sources[path] = path.read_bytes()
        return self.sources[path]

    def reads(self, path: Path, where: str) -> None:
        """Note that code at `where`, file:line, opens a file, or finds none of this name.

        BadInput if the bundle is closed and does not hold the file as it is now.
        """
        if path in self.sources or path in self.apart:
            return
        content = _digest(path)
        if self.closed and path not in self.opened:
            self._refuse(_late(f"{where}: opens {path.name}", "at import"))
        if self.closed and self.opened[path] != content:
            self._refuse(f"{where}: {path.name} has changed since {self.path.name} was loaded")
        self.opened[path] = content

    def _refuse(self, said: str) -> NoReturn:
        self.refused = self.refused or said
        raise BadInput(said)

    def texts(self, path: Path) -> list[str]:
        """Return the text of a module of the bundle, then those of the other modules it uses."""
        return [text for _, text in self.named_texts(path)]

    def named_texts(self, path: Path) -> list[tuple[str, str]]:
        """Return the same texts with the names of their files, of which two may be equal."""
        others = self._reached(path) & self.sources.keys() - {path}
        texts = ((self._name(each), self._text(each)) for each in others)
        # Of two that lie elsewhere under one name the code decides which is first.
        ordered = sorted(texts, key=lambda named: (named[0], code_of(named[1])))
        return [(self._name(path), self._text(path)), *ordered]

    def contents(self, path: Path) -> list[tuple[str, str]]:
        """Return names and content hashes of the other files that a module uses."""
        reached = self._reached(path)
        data = self.data
        return sorted((self._name(each), data[each]) for each in data.keys() & reached)

    def values_of(self, made: Callable, path: Path) -> list[tuple[str, str]]:
        """Return names and hashes of the values that it held, if its text may not say them all."""
        own = frozenset(name for each in self.sources for name in (each.stem, each.parent.name))
        outside = any(looks_outside(text, own) for text in self.texts(path))
        return sorted(self.values.get(made, {}).items()) if outside else []

    def copy(self, folder: Path) -> Path:
        """Write all files below a folder, placed as they are here, and return the user's one."""
        for each in (*self.sources, *self.data):
            target = _below(folder, each)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._write(each, target)
        return _below(folder, self.path)

    def _write(self, path: Path, target: Path) -> None:
        if path in self.sources:
            target.write_bytes(self.sources[path])
            return
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            said = f"{path.name}: cannot be copied ({error.strerror})"
            raise BadInput(f"{self.path.name}: {said}") from None

    def _reached(self, path: Path) -> set[Path]:
        """The files that a module uses, itself or by what it imports; all for the user's file."""
        if path == self.path:
            return {*self.sources, *self.data}
        reached, waiting = set(), [path]
        while waiting:
            each = waiting.pop()
            if each not in reached:
                reached.add(each)
                waiting += self.uses.get(each, ())
        return reached

    def _text(self, path: Path) -> str:
        return decode_source(self.sources[path])

    def _name(self, path: Path) -> str:
        """The path within the folder of the user's file; of a file elsewhere its name alone."""
        inside = path.is_relative_to(self.path.parent)
        return path.relative_to(self.path.parent).as_posix() if inside else path.name


BUNDLES: dict[str, Bundle] = {}  # by package


def bundle_of(made: Callable) -> Bundle | None:
    """Return the bundle in which a class or function is written, if it is in one."""
    return BUNDLES.get(made.__module__.partition(".")[0])


def allow_refused() -> None:
    """Forget what was refused before: that concerns another trial."""
    for bundle in BUNDLES.values():
        bundle.refused = ""


def demand_none_refused() -> None:
    """BadInput if anything was refused since, whether or not the user's code has caught that."""
    for bundle in BUNDLES.values():
        if bundle.refused:
            raise BadInput(bundle.refused)


def _late(what: str, when: str) -> str:
    return f"{what} only now, when no hash of the source can cover it any more; read it {when}"


def _digest(path: Path) -> str:
    """The hash of a file's content; empty if there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _below(folder: Path, path: Path) -> Path:
    return folder.joinpath(*path.parts[1:])
