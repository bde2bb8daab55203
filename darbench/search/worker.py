"""The run of one trial: train, and write rows to the ledger, then pictures and weights; failures
are rows."""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid

from darbench.arithmetic import ARITHMETIC
from darbench.files import replacing
from darbench.folders import without_folders
from darbench.records.schema import make_row
from darbench.records.trial import Report, Trial
from darbench.store import ledger
from darbench.store.at_work import working_on
from darbench.store.environment import environment
from darbench.store.logs import Log, log_file
from darbench.store.shelf import Shelf, shelf
from darbench.store.states import FOLDER as STATES
from darbench.store.weights import save_weights, weights_file
from darbench.trial.keeping import NotKept, Say, keeping
from darbench.trial.train import train

Verdict = Callable[[Mapping[str, Any] | None], str]  # on a row, or before the first one
GRID_COLUMNS, GREY = 10, 128  # samples in a row of the picture, and the value between them


@dataclass(frozen=True, kw_only=True)
class RowWriter:
    """A writer of the rows and pictures of one process's trials into a leaderboard's folder."""

    folder: Path  # leaderboards/<name>
    device: str = "cpu"  # recorded in every row
    name: str = "worker"  # the name of this process's ledger file

    def log(self, trial: Trial) -> Log:
        return Log(log_file(self.folder, trial.id))

    def states(self, trial: Trial) -> Shelf:
        """Return where the states of a trial lie: in the folder, or where its settings say."""
        elsewhere = trial.training.save_to
        place = (elsewhere, self.folder.name) if elsewhere else (self.folder, STATES)
        return shelf(*map(str, place), trial.id)

    def append(
        self, trial: Trial, report: Report, attempt: int, resumed_from: int | None = None
    ) -> dict[str, Any]:
        """Write a report's row to the ledger, then its samples and weights; return the row."""
        gpu = torch.cuda.get_device_name() if self.device == "cuda" else ""
        where = environment(self.device, torch.get_num_threads(), gpu, ARITHMETIC)
        told = {"leaderboard": self.folder.name, "attempt": attempt, "resumed_from": resumed_from}
        row = make_row(trial, report, where, **told)
        ledger.append(self.folder / "ledger" / f"{self.name}.jsonl", row)
        if report.samples is not None and len(report.samples):
            with suppress(OSError):  # a trial goes on without its picture
                save_grid(report.samples, self.folder / "samples" / f"{trial.id}.png")
        if report.weights is not None:
            with suppress(OSError):  # the message of who misses them says how to make them
                save_weights(report.weights, weights_file(self.folder, trial.id, report.step))
        return row


def run_trial(
    trial: Trial,
    writer: RowWriter,
    attempt: int = 1,
    prepare: Callable[[], None] = lambda: None,
    say: Say = lambda note: None,
    pruned: Verdict = lambda row: "",
) -> Iterator[dict[str, Any]]:
    """Run a trial and yield its rows; an exception becomes a last row with a status.

    `prepare` is called before the first step, and may fail like the trial itself. `say` hears what
    becomes of the states from which the trial goes on if it is cut off. `pruned` is asked after
    every row, with None before the first step, and says why the trial ends there.
    """
    step, kept, log = 0, NotKept(), writer.log(trial)
    label = trial.variant.label or trial.variant.routing
    says = {"trial": trial.id, "label": label, "seed": trial.pair_id}
    log.say(f"attempt {attempt}: {label}, seed {trial.pair_id}, by {writer.name}")
    with working_on(writer.folder, writer.name, **says) as stepped:
        try:
            kept = keeping(trial, writer.device, writer.states(trial), _both(log.say, say))
            if why := pruned(None):
                before = ledger.latest(writer.folder / "ledger", trial.id, attempt - 1)
                yield _stopped(trial, writer, attempt, why, before)
                return kept.clear()
            prepare()
            for report in train(trial, writer.device, kept, stepped):
                step = report.step
                row = writer.append(trial, report, attempt, kept.resumed_from)
                log.say(_measured(row))
                if report.final:
                    kept.clear()
                yield row
                if not report.final and (why := pruned(row)):
                    yield _stopped(trial, writer, attempt, why, row)
                    return kept.clear()
        except (Exception, SystemExit) as error:  # a user's code may end the program
            status = "oom" if _out_of_memory(error) else "crashed"
            log.say(f"{status}: {_told(error)}")
            yield writer.append(trial, failure(status, step, error), attempt, kept.resumed_from)


def _stopped(
    trial: Trial, writer: RowWriter, attempt: int, why: str, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Write the last row of a trial that was pruned, after the one before."""
    writer.log(trial).say(why)
    report = failure("pruned", before["step"] if before else 0, why)
    return writer.append(trial, report, attempt)


def _both(one: Say, other: Say) -> Say:
    def say(note: str) -> None:
        one(note)
        other(note)

    return say


def _told(error: BaseException) -> str:
    """The traceback of an error, without the lines that underline."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(line for line in lines if line.strip(" ^~"))


def _measured(row: Mapping[str, Any]) -> str:
    """What a log says of a row."""
    if row["status"] != "ok":
        return f"{row['status']} at step {row['step']}: {row['error']}"
    fd = "" if row["fd"] is None else f", fd {row['fd']:.2f}"
    end = "; done" if row["final"] else ""
    return f"step {row['step']}: val_loss {row['val_loss']:.4f}{fd}{end}"


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, for which torch has no exception of its own on the CPU."""
    named = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def failure(status: str, step: int, error: object) -> Report:
    """Return the last report of a trial that failed; step 0 is before the first checkpoint."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
    error = without_folders(kind + first)  # a row may be mailed
    return Report(step=step, final=True, measured={"status": status, "error": error})


@contextmanager
def watchdog(trial: Trial, writer: RowWriter, attempt: int) -> Iterator[None]:
    """End this process, with a timeout row, if the trial runs too long, even if it hangs."""

    def end() -> None:
        limit, row = f"ran longer than {trial.training.timeout_s:g} s", None
        try:
            row = ledger.latest(writer.folder / "ledger", trial.id, attempt)
            if row is None or not row["final"]:
                report = failure("timeout", row["step"] if row else 0, limit)
                writer.append(trial, report, attempt)
        finally:
            if row is None or not row["final"]:
                writer.log(trial).say(f"timeout: {limit}")
                print(f"timeout: {limit}", file=sys.stderr, flush=True)
                os._exit(1)

    timer = threading.Timer(trial.training.timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def save_grid(samples: np.ndarray, path: Path) -> None:
    """Save uint8 samples (n, H, W, C) as one PNG, row by row, with a pixel between them."""
    images = torch.from_numpy(samples).movedim(-1, 1)
    blank = images.new_full((-len(images) % GRID_COLUMNS, *images.shape[1:]), GREY)
    sheet = make_grid(torch.cat([images, blank]), GRID_COLUMNS, padding=1, pad_value=GREY)
    sheet = sheet[
        : images.shape[1], 1:-1, 1:-1
    ]  # without the frame, and with the samples' own channels
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        to_pil_image(sheet).save(partial, format="PNG")
