"""Ctrl-C and a scheduler's SIGTERM, as long as a sweep runs."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def handlers_kept() -> Iterator[Callable[[], None]]:
    """Yields a function after whose call Ctrl-C, and a scheduler's SIGTERM, which Ray answers
    with a stack trace, raise KeyboardInterrupt once; the old handlers return at the end."""
    in_main = threading.current_thread() is threading.main_thread()  # others have no handlers
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM) if in_main}
    # A shell starts its background jobs with SIGINT ignored; that stays so.
    before = {s: handler for s, handler in before.items() if handler != signal.SIG_IGN}

    def interrupt(number: int, frame: Any) -> None:
        for each in before:  # to repeat it would only disturb the clearing up
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    def interruptible() -> None:
        for each in before:
            signal.signal(each, interrupt)

    try:
        yield interruptible
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
