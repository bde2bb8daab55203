"""The files below a folder that a user named, in the order of their names.

Links are followed, wherever they lead: caches of hubs and subsets of large data are made of them.
Each folder is entered once, so no link can lead in a circle or bring the same files twice.
"""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from darbench.errors import BadInput

# Names that systems and archivers leave behind; what begins with a dot is theirs too (._a.png).
SYSTEM = ("__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found")


class Walk:
    """A walk through the files below a folder; it remembers the folders it has entered."""

    def __init__(self) -> None:
        self.entered: dict[Path, Path] = {}
        self.system: list[Path] = []  # files of systems and archivers, which are passed over

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The folders and the files in a folder; BadInput if it was entered before, or at a link
        that leads nowhere."""
        place = folder.resolve()
        if place in self.entered:
            raise BadInput(
                f"{folder}: the same folder as {self.entered[place]}, by a link; its files would "
                "count twice, so remove the link"
            )
        self.entered[place] = folder
        with os.scandir(folder) as found:  # it knows folders without asking the disk again
            entries = sorted(found, key=lambda entry: entry.name)
        system = [Path(entry) for entry in entries if _of_system(entry.name)]
        self.system += chain.from_iterable(map(_files_of, system))
        rest = [_existing(entry) for entry in entries if not _of_system(entry.name)]
        folders, files = (e for e in rest if e.is_dir()), (e for e in rest if e.is_file())
        return list(map(Path, folders)), list(map(Path, files))

    def files(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder, those in itself first."""
        folders, files = self.entries(folder)
        yield from files
        for path in folders:
            yield from self.files(path)


def _of_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM


def _files_of(path: Path) -> list[Path]:
    """The files below a folder, without following links; a file is its own."""
    return [Path(at, name) for at, _, names in os.walk(path) for name in names] or [path]


def _existing(entry: os.DirEntry) -> os.DirEntry:
    """The entry; BadInput if it is a link that leads nowhere."""
    if entry.is_symlink() and not os.path.exists(entry.path):
        raise BadInput(
            f"{entry.path}: a link that leads nowhere, to {os.readlink(entry.path)}; mend the "
            "link, or remove it to go without"
        )
    return entry
