"""What each process that trains for a leaderboard is doing now."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from darbench.store.held import Says, Taken, hold, holder

FOLDER = "workers"
EVERY_S = 1.0  # seconds between what is said of two steps


@contextmanager
def working_on(folder: Path, name: str, **says: Any) -> Iterator[Callable[[int, int], None]]:
    """Say in the folder of a leaderboard what the process of this name does.

    Yields a function that takes the steps done, and those in all. What cannot be said fails
    no trial.
    """
    path = work_file(folder, name)
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = stack.enter_context(hold(path, **says))
        except (OSError, Taken):
            yield lambda done, steps: None
            return
        told = 0.0

        def stepped(done: int, steps: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= EVERY_S or done == steps:
                told = now
                with suppress(OSError):
                    held.say(done=done, steps=steps)

        yield stepped
        with suppress(OSError):
            path.unlink()


def work_file(folder: Path, name: str) -> Path:
    """The file in which a process of this name says what it does."""
    return folder / FOLDER / f"{name}.json"


def at_work(folder: Path) -> list[Says]:
    """Return what living processes say that they do, by name."""
    paths = sorted((folder / FOLDER).glob("*.json"))
    return [says for path in paths if (says := holder(path)) is not None]


def dead_workers(folder: Path) -> list[Path]:
    """Return the files of processes that were killed."""
    return [path for path in sorted((folder / FOLDER).glob("*.json")) if holder(path) is None]
