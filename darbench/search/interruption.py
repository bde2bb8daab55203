"""The handling of Ctrl-C and of a scheduler's SIGTERM while a sweep runs."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def handlers_kept() -> Iterator[Callable[[], None]]:
    """Yield a function that makes Ctrl-C and SIGTERM raise KeyboardInterrupt, once.

    It is called again after Ray has set handlers of its own, which answer SIGTERM with a stack
    trace. The old handlers are restored at the end.
    """
    # Other threads cannot set handlers.
    in_main = threading.current_thread() is threading.main_thread()
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM) if in_main}
    # A shell starts its background jobs with SIGINT ignored; that stays so.
    before = {s: handler for s, handler in before.items() if handler != signal.SIG_IGN}

    def interrupt(number: int, frame: Any) -> None:
        for each in before:  # a second signal would disturb the cleanup
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
