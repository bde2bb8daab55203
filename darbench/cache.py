"""A cache on disk of what was computed before, so that no command does it twice.

`DARBENCH_CACHE` names the folder; otherwise it is `darbench` in the user's cache. A file may be
deleted at any time, and is used only if its checksum holds; without a folder that can be written
everything works the same, only slower. Of each kind of result the newest `MOST` stay.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from darbench.files import replacing

MOST = 64  # files of one kind
_PLACES = sorted({*map(os.path.abspath, sys.path)})  # where packages were at the start


def folder() -> Path:
    """Return the folder for everything that can be computed anew."""
    given = os.environ.get("DARBENCH_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(given) if given else Path(home, "darbench")


def remembered(what: str, key: Any, make: Callable[[], Any]) -> Any:
    """Return `make()`, or what it returned before for an equal key.

    The kept result is used only with the same code of darbench and the same packages. It must be
    made of JSON's types. What `make` raises is not kept, nor what it returns once a file has
    changed, for nobody can tell whether it worked with the old file or with the new one.
    """
    name = f"{what}-{_hash([CODE, key])}.json"
    path = folder() / name
    kept = _read(path)
    if kept is None:
        kept = json.dumps(make())
        with suppress(OSError):  # a command goes on if the disk is full or read-only
            if code() == CODE:
                _write(path, kept)
                _delete_oldest(what)
    return json.loads(kept)


def entries() -> list[Path]:
    """Return the files that darbench keeps in the folder, and no other of it."""
    named = re.compile(r".+-[0-9a-f]{16,64}[.](json|safetensors)")
    with suppress(OSError):
        return [path for path in sorted(folder().iterdir()) if named.fullmatch(path.name)]
    return []


def code() -> str:
    """Return the hash of all that a result depends on besides what a user gives.

    That is every file of darbench, and the versions of Python and of the installed packages.
    """
    root = Path(str(files("darbench")))
    walked = sorted(Path(place, name) for place, _, names in os.walk(root) for name in names)
    ours = [path for path in walked if "__pycache__" not in path.parts]
    return _code(root, tuple(map(_state, ours)), tuple(sorted(_installed())))


@cache  # the files are read again once one of them has another state
def _code(root: Path, states: tuple[tuple[Path, int, int], ...], installed: tuple) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path, *_ in states:
        digest.update(f"\n{path.relative_to(root).as_posix()}\n".encode())
        with suppress(OSError):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in installed:
        digest.update(f"\n{name}".encode())
    return digest.hexdigest()


def _state(path: Path) -> tuple[Path, int, int]:
    """Return a file's time of change and its size, by which a change is seen."""
    try:
        status = path.stat()
    except OSError:  # an editor's file that is gone by now
        return path, 0, 0
    return path, status.st_mtime_ns, status.st_size


def _installed() -> Iterator[str]:
    """Yield NAME-VERSION of every installed package, from the names of metadata folders."""
    for place in _PLACES:
        with suppress(OSError):
            for entry in os.scandir(place):
                if entry.name.endswith((".dist-info", ".egg-info")):
                    yield entry.name


def _read(path: Path) -> str | None:
    """Return the text after the checksum; None if the file is missing or damaged."""
    try:
        checksum, _, text = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if checksum == _hash([path.name, text]) else None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(f"{_hash([path.name, text])}\n{text}", encoding="utf-8")


def _delete_oldest(what: str) -> None:
    """Delete all but the newest results of one kind, and no other file of the folder."""
    ours = re.compile(re.escape(what) + "-[0-9a-f]{32}[.]json")
    kept = [entry for entry in os.scandir(folder()) if ours.fullmatch(entry.name)]
    by_age = sorted(kept, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns)
    for entry in by_age[:-MOST]:
        os.unlink(entry)  # another process may have been faster: the next one to write goes on


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# It is taken before a routing is imported: a notebook goes on with the code that it has in memory.
CODE = code()
