"""Claims: who runs what, where machines share nothing but a folder.

A claim is the file claims/TRIAL.N, created exclusively and touched as long as its owner lives; one
that nobody has touched for SILENT_S is dead, and N + 1 may be claimed. Times are those of the file
system, the same for all machines; locks of the kernel, which not every shared one has, are not
needed. Who has claimed looks again and gives way to another living claim, so that of two which
meet no more than one stays; then it reads the ledger once more, for the trial may have ended.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = "claims"
SILENT_S = 60.0  # after which a claim is dead
BEATS = 6  # in that time


class Claims:
    """The claims of one process, by its name, on trials of a leaderboard."""

    def __init__(self, folder: Path, name: str, silent_s: float = SILENT_S):
        self._folder, self._name, self._silent_s = folder / FOLDER, name, silent_s
        self._own: dict[str, Path] = {}  # by trial id
        self._folder.mkdir(parents=True, exist_ok=True)

    def take(self, trial_id: str) -> bool:
        """Claim a trial; False if another living process has it."""
        others = self._of(trial_id)
        if any(map(self._alive, others)):
            return False
        own = self._folder / f"{trial_id}.{max(map(_number, others), default=0) + 1}"
        try:
            descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as file:
            json.dump({"worker": self._name}, file)
        if any(self._alive(other) for other in self._of(trial_id) if other != own):
            own.unlink(missing_ok=True)
            return False
        self._own[trial_id] = own
        return True

    def give_back(self, trial_id: str) -> None:
        """Give up a trial, with what the dead have left of it."""
        own = self._own.pop(trial_id)
        for path in self._of(trial_id):
            if _number(path) <= _number(own):
                path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove claims of an earlier process of this name, which is known to be dead."""
        for path in self._folder.glob("*.*"):
            if _owner(path) == self._name:
                path.unlink(missing_ok=True)

    def beat(self) -> None:
        """Say of every claim that its owner lives."""
        for path in [*self._own.values()]:
            with suppress(OSError):
                os.utime(path)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Keep the claims alive from a thread; at the end all are given back."""
        over = threading.Event()

        def beats() -> None:
            while not over.wait(self._silent_s / BEATS):
                self.beat()

        thread = threading.Thread(target=beats, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            for trial_id in [*self._own]:
                self.give_back(trial_id)

    def _of(self, trial_id: str) -> list[Path]:
        return [*self._folder.glob(f"{trial_id}.*")]

    def _alive(self, path: Path) -> bool:
        try:
            return self._now() - path.stat().st_mtime < self._silent_s
        except FileNotFoundError:
            return False

    def _now(self) -> float:
        """The time of the file system, which may be another machine's."""
        clock = self._folder / f".{self._name}"
        clock.touch()
        now = clock.stat().st_mtime
        clock.unlink(missing_ok=True)
        return now


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _owner(path: Path) -> str:
    try:
        return json.loads(path.read_text())["worker"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
