"""The streams that commands print to: what they cannot show, or nobody reads, ends no command."""

import io
import os
import sys
from contextlib import suppress
from typing import TextIO


class _Reader(io.FileIO):
    """The other end of a stream, which may be closed: what is written after that is lost."""

    lost = False

    def write(self, data) -> int:
        with suppress(BrokenPipeError):
            if not self.lost:
                return super().write(data)
        return len(data)


def forgive() -> None:
    """Let standard output and error print `?` for a character that their encoding lacks.

    The work goes on, and its exit code stays what it is, when a reader such as `head` has gone or
    a stream is closed. A stream that a program has put in place of one of them is left alone.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif stream is getattr(sys, f"__{name}__"):
            stream.flush()
            setattr(sys, name, _forgiving(stream))


def forget() -> None:
    """Drop what standard output still holds: at exit it would fail again on a full disk."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Reader):
        raw.lost = True


def _forgiving(stream: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Reader(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
    )
