"""The files that the code of a bundle opens, which an audit hook of Python tells."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType

from darbench.registry.bundle import BUNDLES, Bundle
from darbench.state.ownership import is_users

# Events whose first argument is a file.
EVENTS = {"open", "ctypes.dlopen", "sqlite3.connect"}
# Modules that read on behalf of darbench, of a compiler or of a traceback, and not of the user.
# A name counts with what is in it.
OTHERS = ("darbench", "linecache", "torch._dynamo", "torch._inductor", "triton", "numba")


@cache
def watch() -> None:
    """Add the hook once a process: an audit hook cannot be removed, only be idle."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple) -> None:
    at_exit = EVENTS is None  # the names of a module end before the last file is opened
    if at_exit or event not in EVENTS or not _is_read(*arguments):
        return
    reader = _reader(sys._getframe(1))
    path = _user_file(arguments[0]) if reader else None
    if path and (path.is_file() or _is_missed(event, path, *arguments)):
        bundle, frame = reader
        file = Path(frame.f_code.co_filename)
        bundle.uses.setdefault(file, set()).add(path)
        bundle.reads(path, f"{file.name}:{frame.f_lineno}")


def _is_read(path: object, mode: object = None, flags: int = os.O_RDONLY) -> bool:
    """Whether a file is opened to be read, as it is."""
    named = isinstance(path, (str, bytes, os.PathLike))
    return named and flags & os.O_ACCMODE != os.O_WRONLY and not flags & os.O_TRUNC


def _is_missed(event: str, path: Path, name: object, mode: object = None, flags: int = 0) -> bool:
    """Whether a file is looked for that is not there: a worker's copy may lack what is here."""
    return event == "open" and not flags & os.O_CREAT and not path.exists()


def _user_file(path: str | bytes | os.PathLike) -> Path | None:
    """The path of a user's file of this name; for a compiled module, of its source."""
    path = Path(os.path.abspath(os.fsdecode(path)))
    if path.parent.name == "__pycache__":
        path = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return path if is_users(path) else None


def _reader(frame: FrameType) -> tuple[Bundle, FrameType] | None:
    """The bundle and frame on whose behalf this is done, if it is a user's."""
    for each in _outward(frame):
        name = each.f_globals.get("__name__") or ""
        bundle = BUNDLES.get(name.partition(".")[0])
        if bundle:
            return bundle, each
        if any(name == other or name.startswith(f"{other}.") for other in OTHERS):
            return None
    return None


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
