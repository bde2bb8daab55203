"""A place for files, here or under a URL that fsspec knows: each is written aside and renamed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from darbench.errors import BadInput
from darbench.files import replacing


class Shelf(Protocol):
    """A flat folder of files by name; OSError where something cannot be read or written."""

    def names(self) -> list[str]:
        """Return the names of the files, of none if there is no such folder."""

    def writing(self, name: str):
        """Give a path of this machine to write to; at the end it becomes the file, whole."""

    def reading(self, name: str):
        """Give a path of this machine to read the file from."""

    def remove(self, name: str) -> None:
        """Remove a file; there may be none."""

    def clear(self) -> None:
        """Remove the folder."""


class Folder:
    """A shelf on a file system of this machine."""

    def __init__(self, path: Path):
        self._path = path

    def names(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [each.name for each in self._path.iterdir()]
        return []

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        self._path.mkdir(parents=True, exist_ok=True)
        with replacing(self._path / name) as partial:
            yield partial

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        yield self._path / name

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def clear(self) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._path)


class Remote:
    """A shelf under a URL, such as s3://bucket/folder; files pass through a temporary one."""

    def __init__(self, url: str):
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise BadInput(f"{url}: {error}; give a folder, or a URL that fsspec knows") from None

    def names(self) -> list[str]:
        self._files.invalidate_cache(self._root)
        with suppress(FileNotFoundError):
            found = self._files.ls(self._root, detail=False)
            return [each.rstrip("/").rpartition("/")[2] for each in found]
        return []

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as here:
            yield (path := Path(here, name))
            self._files.makedirs(self._root, exist_ok=True)
            self._files.put_file(str(path), self._at(f".{name}.partial"))
        self._files.mv(self._at(f".{name}.partial"), self._at(name))

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as here:
            self._files.get_file(self._at(name), str(path := Path(here, name)))
            yield path

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def clear(self) -> None:
        with suppress(FileNotFoundError):
            self._files.rm(self._root, recursive=True)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"


def shelf(place: str, *below: str) -> Shelf:
    """Return the shelf in a folder, or under a URL, and its folders below."""
    if "://" in place:
        return Remote("/".join([place.rstrip("/"), *below]))
    return Folder(Path(place, *below))
