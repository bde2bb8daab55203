"""A log for each trial of a leaderboard, in which every attempt says what it does."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path

from darbench.folders import without_folders

FOLDER = "logs"


def log_file(folder: Path, trial_id: str) -> Path:
    """The log of a trial, in the folder of a leaderboard."""
    return folder / FOLDER / f"{trial_id}.log"


class Log:
    """The log of a trial, to which lines are added; a trial goes on without it."""

    def __init__(self, path: Path):
        self._path = path

    def say(self, text: str) -> None:
        """Add a text, whose first line has the time, without the folders of this machine."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{now} {without_folders(text.rstrip())}\n")

    @contextmanager
    def printed(self) -> Iterator[None]:
        """Add what is printed within the context, also as errors and warnings."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a", buffering=1, encoding="utf-8", errors="replace")
        except OSError:
            yield
            return
        with file, redirect_stdout(file), redirect_stderr(file):
            yield


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log; none if there is none."""
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    return []
