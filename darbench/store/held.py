"""A file that a living process holds, and in which it says what it is doing.

The hold is a lock of the kernel (flock), which ends with the process, however it ends, on this
machine or, on a shared file system, on another. No process number is asked whether it lives, for
another process may have it by now.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PATIENCE_S = 0.5  # for who only looks at a file holds it, too, for a moment
WHOLE = 4096  # bytes, written at once

Says = dict[str, Any]


class Taken(Exception):
    """The file is held by another process; `says` is what that says, and may be empty."""

    def __init__(self, says: Says):
        super().__init__(says)
        self.says = says


class Held:
    """A file while it is held."""

    def __init__(self, descriptor: int, says: Mapping[str, Any]):
        self._descriptor, self._says = descriptor, dict(says)

    def say(self, **more: Any) -> None:
        """Write what is said from now on, besides what was said before."""
        self._says |= more
        text = json.dumps(self._says).encode().ljust(WHOLE)
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


@contextmanager
def hold(path: Path, **says: Any) -> Iterator[Held]:
    """Hold a file; Taken if another process does, OSError if it cannot be written or locked.

    It says the process and its machine, since when, and what is given.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
        held = Held(descriptor, _who() | says)
        held.say()
        yield held
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Says | None:
    """Return what the living process that holds a file says; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(descriptor)
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(descriptor)


def clock(when: str) -> str:
    """Return a time as people read it: 2031-05-01 10:00 UTC."""
    return f"{when[:10]} {when[11:16]} UTC"


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Taken(_said(descriptor)) from None
            time.sleep(0.02)


def _said(descriptor: int) -> Says:
    try:
        found = json.loads(os.pread(descriptor, WHOLE, 0))
    except ValueError:  # it has not said anything yet
        return {}
    return found if isinstance(found, dict) else {}


def _who() -> Says:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "machine": socket.gethostname(), "since": now}
