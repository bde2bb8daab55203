"""The folder of a sweep's temporary files: it goes with the sweep, or with the next one."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "darbench_"
LONGEST = 24  # characters of the path of the folder for temporary files


@contextmanager
def scratch() -> Iterator[str]:
    """Yield a new folder with a short path, and remove it at the end.

    Folders whose process was killed are removed first. The paths of Ray's sockets are some 60
    characters longer than that of the folder, and the system's limit is 107.
    """
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= LONGEST else "/tmp"
    for folder in Path(place).glob(f"{PREFIX}*"):
        _remove_abandoned(folder)
    folder, held = _locked(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _locked(place: str) -> tuple[str, int]:
    """Return a new folder and its descriptor; the lock on it ends with this process."""
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=place)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(held, fcntl.LOCK_EX)
    if os.path.isdir(folder):
        return folder, held
    os.close(held)  # another process took it for abandoned before it was locked
    return _locked(place)


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder of this user that no living process has locked; links are left alone."""
    with suppress(OSError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(held).st_uid == os.getuid():
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)
