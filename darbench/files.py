"""Files that are replaced at once: a reader sees the old one or the new one, and no half."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Yield where to write, beside `path`; at the end that file becomes `path`.

    After an error the old file stays, and nothing lies beside it. flush: the disk has the new
    content before the name changes.
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
