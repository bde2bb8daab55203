"""A cache on disk of what was computed before, so that no command does it twice.

`DARBENCH_CACHE` names the folder; otherwise it is `darbench` in the user's cache. A file may be
deleted at any time, and is used only if its checksum holds; without a folder that can be written
everything works the same, only slower.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from darbench.files import replacing


def folder() -> Path:
    """Return the folder for everything that can be computed anew."""
    given = os.environ.get("DARBENCH_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(given) if given else Path(home, "darbench")


def remembered(what: str, key: Any, make: Callable[[], Any]) -> Any:
    """Return `make()`, or what it returned before for an equal key.

    The kept result is used only with the same code of darbench and the same packages. It must be
    made of JSON's types. What `make` raises is not kept.
    """
    name = f"{what}-{_hash([code(), key])}.json"
    path = folder() / name
    kept = _read(path)
    if kept is None:
        kept = json.dumps(make())
        with suppress(OSError):  # a command goes on if the disk is full or read-only
            _write(path, kept)
    return json.loads(kept)


@cache
def code() -> str:
    """Return the hash of all that a result depends on besides what a user gives.

    That is every file of darbench, and the versions of Python and of the installed packages.
    """
    root = Path(str(files("darbench")))
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\n{path.relative_to(root).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in sorted(_installed()):
        digest.update(f"\n{name}".encode())
    return digest.hexdigest()


def _installed() -> Iterator[str]:
    """Yield NAME-VERSION of every installed package, from the names of metadata folders."""
    for place in {*sys.path}:
        with suppress(OSError):
            for entry in os.scandir(place or "."):
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


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
