"""The check that a routing touches no file, process or network."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType

from darbench.testing.check import check, demand
from darbench.testing.failure import files_of
from darbench.testing.inputs import outputs, reads
from darbench.testing.subject import Subject

WATCHED = (
    "open",
    "os.listdir",
    "os.scandir",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.system",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.",
    "urllib.Request",
    "sqlite3.connect",
)
EXCUSED = ("<frozen importlib", "linecache.py")  # imports, and warnings that quote a line

_watching: dict[int, list[tuple[str, FrameType]]] = {}  # events by thread


def _hook(event: str, arguments: tuple) -> None:
    seen = _watching.get(threading.get_ident()) if _watching else None
    if seen is not None and event.startswith(WATCHED):
        seen.append((f"{event}({str(arguments[0])[:80]!r})", sys._getframe(1)))


@cache
def _install() -> None:
    """Add the hook once a process: an audit hook cannot be removed, only be idle."""
    sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[tuple[str, FrameType]]]:
    """Collect what this thread does to files, processes and the network."""
    _install()
    seen: list[tuple[str, FrameType]] = []
    _watching[threading.get_ident()] = seen
    try:
        yield seen
    finally:
        del _watching[threading.get_ident()]


@check("constructor and verbs touch no file, process or network")
def no_files_no_network(subject: Subject) -> None:
    with watched() as seen:
        reads(subject.random(), outputs())
    files = files_of(subject.cls)
    for event, frame in seen:
        stack = list(_outward(frame))
        excused = any(
            f.f_code.co_filename.endswith(EXCUSED) or f.f_code.co_filename.startswith(EXCUSED)
            for f in stack
        )
        own = [f for f in stack if f.f_code.co_filename in files]
        where = f"{own[0].f_code.co_filename}:{own[0].f_lineno}" if own else "a library"
        demand(
            excused,
            f"{event} at {where}",
            "a trial is a function of its configuration: hand such values over as parameters",
        )


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
