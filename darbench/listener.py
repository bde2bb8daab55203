"""Listeners to long work in one process, such as reading or encoding a data set."""

from collections.abc import Callable

CountListener = Callable[[int, int, str], None]  # called with (done, in all, event or "")


def silent(done: int, total: int, event: str) -> None:
    """A listener that does nothing."""
