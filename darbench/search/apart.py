"""A process of its own that runs trials one after another, and dies with the one that began it.

What ends it, such as a trial that hangs or takes all memory, does not end that one.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

from darbench.errors import BadInput
from darbench.records.trial import Trial
from darbench.registry import ROUTINGS


@dataclass
class Apart:
    """The process; it is begun for the first trial, and again for the next if it has died."""

    folder: Path  # leaderboards/<name>
    device: str
    name: str  # of the ledger file
    files: Sequence[str] = ()  # of the user's routings and encoders
    _process: Any = field(default=None, init=False)
    _pipe: Any = field(default=None, init=False)

    def run(self, trial: Trial, attempt: int) -> Iterator[dict[str, Any] | None]:
        """Run a trial and yield its rows, and None if the process dies before the last."""
        if self._process is None or not self._process.is_alive():
            self._begin()
        try:
            self._pipe.send((trial, attempt))
            while (row := self._pipe.recv()) is not None:
                yield row
        except (EOFError, OSError):
            self._process.join()
            yield None

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _begin(self) -> None:
        context = get_context("spawn")  # a fork would not survive what a GPU's driver has started
        self._pipe, theirs = context.Pipe()
        given = (theirs, self.folder, self.device, self.name, [*self.files])
        self._process = context.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Any, folder: Path, device: str, name: str, files: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that is for the parent, with which this ends
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    from darbench.arithmetic import plain_arithmetic
    from darbench.search.worker import RowWriter, run_trial, watchdog
    from darbench.testing.rehearsal import load_rehearsed

    torch.set_num_threads(1)  # as in a sweep
    for file in files:
        load_rehearsed(file)
    writer = RowWriter(folder=folder, device=device, name=name)
    while True:
        try:
            trial, attempt = pipe.recv()
        except EOFError:  # the parent has ended
            return
        with (
            writer.log(trial).printed(),
            plain_arithmetic(device),
            watchdog(trial, writer, attempt),
        ):
            for row in run_trial(trial, writer, attempt, partial(_unchanged, trial)):
                pipe.send(row)
        sys.stdout.flush()
        pipe.send(None)


def _unchanged(trial: Trial) -> None:
    routing = trial.variant.routing
    if ROUTINGS.source_hash(routing) != trial.code_hash:
        raise BadInput(f"the source of {routing} has changed since the worker was started")


def _die_with_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)
