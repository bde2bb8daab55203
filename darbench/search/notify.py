"""A command of the user's that hears of failures and of the end of a sweep (`notify`).

It is split into words as a shell would and run without one, so nothing that a trial says can
become a command. It gets a summary as JSON on its standard input, and a line in its environment.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO

from darbench.errors import BadInput
from darbench.search.progress import Listener, Progress

LIMIT_S = 30.0  # after which the command is killed
SHOWN = 200  # characters of a message
COUNTS = ("total", "skipped", "done", "failed", "pruned", "left")


@contextmanager
def notifying(command: str, folder: Path, listener: Listener) -> Iterator[Listener]:
    """Yield a listener that passes on what it hears, and notifies the command; "" is none.

    BadInput for a command that cannot be run. What goes wrong with it later is said in a line.
    """
    if not command:
        yield listener
        return
    notices = Notices(_words(command), folder, listener)
    try:
        yield notices
    except Exception as error:
        notices.end("stopped", str(error))
        raise
    progress = notices.progress
    ended = f"{progress.total - progress.left} of {progress.total} trials ended"
    failed = f", {progress.failed} failed" if progress.failed else ""
    notices.end("interrupted" if progress.left else "end", ended + failed)


class Notices:
    """A listener that starts the command, one at a time; failures meanwhile share a notice."""

    def __init__(self, words: list[str], folder: Path, listener: Listener):
        self.progress = Progress(total=0, skipped=0)
        self._words, self._folder, self._listener = words, folder, listener
        self._failure, self._failed, self._told = "", 0, 0  # the last one, and how many
        self._running: Running | None = None
        self._lock = Lock()  # threads beside the driver speak too

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            self.progress = progress
            if progress.failed > self._failed:
                self._failed, self._failure = progress.failed, progress.event
            self._listener(progress)
            if self._running is not None and self._running.over():
                self._ended()
            if self._running is None and self._failed > self._told:
                self._told = self._failed
                self._start("failure", self._failure)

    def end(self, event: str, message: str) -> None:
        """Tell of the end, and wait for the command."""
        self._ended()
        self._start(event, message)
        self._ended()

    def _start(self, event: str, message: str) -> None:
        progress = self.progress
        summary = {
            "event": event,  # failure, end, interrupted or stopped
            "name": self._folder.name,
            "message": message,
            **{count: getattr(progress, count) for count in COUNTS},
            "board": str(self._folder / "index.html"),
        }
        try:
            self._running = Running(self._words, summary)
        except OSError as error:
            self._say(f"cannot be run: {error.strerror}")

    def _ended(self) -> None:
        """Wait for a command that runs, and say what went wrong with it."""
        running, self._running = self._running, None
        if running is not None and (wrong := running.wait()):
            self._say(wrong)

    def _say(self, wrong: str) -> None:
        self.progress.event = f"notify: {self._words[0]}: {wrong}"
        self._listener(self.progress)


class Running:
    """A command that runs, in a session of its own; OSError if it cannot be started."""

    def __init__(self, words: list[str], summary: dict[str, object]):
        name, event, message = (str(summary[key]) for key in ("name", "event", "message"))
        message = f"{name}: {message}".replace("\0", "")[:SHOWN]
        told = {"DARBENCH_EVENT": event, "DARBENCH_MESSAGE": message}
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as given:
            given.write(json.dumps(summary).encode())
            given.seek(0)
            self._process = subprocess.Popen(
                words,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                env=os.environ | told,
                start_new_session=True,
            )
        self._deadline = time.monotonic() + LIMIT_S

    def over(self) -> bool:
        """Whether it has ended, or its time has."""
        return self._process.poll() is not None or time.monotonic() > self._deadline

    def wait(self) -> str:
        """Return what went wrong, empty if nothing did, once it has ended or was killed."""
        try:
            code = self._process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return f"took longer than {LIMIT_S:g} s, and was killed"
        return f"ended with {code}{self._last_line()}" if code else ""

    def _last_line(self) -> str:
        """The end of what it said on stderr, after a colon."""
        with self._said as said:
            said.seek(max(0, said.seek(0, os.SEEK_END) - SHOWN))
            lines = said.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"notify={command}: {error}; quote it as for a shell") from None
    if not words or shutil.which(words[0]) is None:
        raise BadInput(
            f"notify={command}: there is no program {words[0] if words else command!r} here; it "
            "is run without a shell, so give the path of a script, or `sh -c '...'`"
        )
    return words
