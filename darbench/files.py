"""Files that are replaced at once: a reader sees the old file or the new one, whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Yield a path in the same folder to write to; at the end that file becomes `path`.

    After an error the old file is unchanged, and the new one is deleted. flush: the disk has the
    new content before the name changes.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        if flush:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
