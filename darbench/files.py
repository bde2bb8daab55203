"""Files that are replaced at once, so that a reader sees the old file or the new one, whole; and
their hash."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path


@contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Yield a path in the same folder to write to; at the end that file becomes `path`.

    After an error the old file is unchanged, and the new one is deleted; one of a process that
    was killed is deleted when another writes to the folder. flush: the disk has the new content
    before the name changes.
    """
    _clear(path.parent, os.getpid())
    partial = path.with_name(f".{path.name}.{_place()}-{os.getpid()}")
    try:
        yield partial
        if flush:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """The first 16 digits of the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@cache
def _place() -> str:
    """Where a process has its number: this machine, or the container within it."""
    with suppress(OSError):
        names = os.uname().nodename, os.readlink("/proc/self/ns/pid")
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    return "elsewhere"


@cache  # once in each process
def _clear(folder: Path, process: int) -> None:
    with suppress(OSError):
        for path in abandoned(folder):
            os.unlink(path)


def abandoned(folder: Path) -> list[Path]:
    """Return what processes of this machine and this user wrote here when they were killed."""
    partial, files = re.compile(rf"\..+\.{_place()}-([0-9]+)"), []
    with suppress(OSError):
        for entry in os.scandir(folder):
            found = partial.fullmatch(entry.name)
            own = found and entry.stat(follow_symlinks=False).st_uid == os.getuid()
            if own and not _lives(int(found[1])):
                files.append(Path(entry))
    return files


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's, or no process's number
        pass
    return True
