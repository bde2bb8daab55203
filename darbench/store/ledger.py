"""The append-only ledger: a JSON-lines file per worker, from which all tables are derived."""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from darbench.errors import BadInput
from darbench.records.canonical import canonical_json
from darbench.records.protocol import protocol_hash
from darbench.records.schema import COLUMNS, SCHEMA_VERSION, is_outdated
from darbench.records.trial import Trial
from darbench.store.at_work import work_file
from darbench.store.converters import converted
from darbench.store.held import Held, Says, Taken, clock, hold, holder

# A trial with such a last row is finished; one that crashed, ran out of memory or out of time is
# tried again by the next sweep.
FINISHED = ("ok", "diverged", "pruned")
LOCK = ".lock"
ORPHANS_S = 30.0
# A line without one of these is not a row.
NEEDED = (
    "trial_id",
    "variant_code_hash",
    "protocol_hash",
    "split",
    "attempt",
    "step",
    "final",
    "status",
    "created_utc",
    "config_hash",
    "params_json",
    "routing",
)

Key = tuple[str, str, str, str]


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Append a row as one line and flush it to the disk; OSError if not all of it fits."""
    line = (canonical_json(row) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        written = os.write(descriptor, line)
        if written < len(line):  # for example because the disk is full
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes could be written", path)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_ledger(folder: Path) -> list[dict[str, Any]]:
    """Return all rows of the folder's *.jsonl files, by file name and then as written.

    Every row has every column; rows of older schemas are converted. A last line without its end
    is a write that was cut off, and is passed over. BadInput for any other line that is not a
    row, and for rows of a newer schema.
    """
    return [row for _, row in read_lines(folder)]


def read_lines(folder: Path, files: str = "*.jsonl") -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each line, without its end, with its row as `read_ledger` returns it."""
    for path in sorted(folder.glob(files)):
        yield from rows_in(path, path.read_bytes())


def latest(folder: Path, trial_id: str, attempt: int) -> dict[str, Any] | None:
    """Return the last row that an attempt at a trial has written; None without any."""
    rows = (r for r in read_ledger(folder) if (r["trial_id"], r["attempt"]) == (trial_id, attempt))
    return max(rows, key=lambda row: (row["final"], row["step"]), default=None)


def repair(folder: Path) -> list[str]:
    """Cut off torn last lines, and return what was done, a line per file; needs the `lock`.

    A worker without a driver may be writing to its own file: that is left as it is.
    """
    done = []
    for path in sorted(folder.glob("*.jsonl")):
        if holder(work_file(folder.parent, path.stem)) is not None:
            continue
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
            lost = len(data) - whole
            done.append(f"repaired {path}: dropped a torn last line of {lost} bytes")
    return done


@contextmanager
def lock(folder: Path, command: str = "") -> Iterator[Held]:
    """Hold the lock of a folder, to which only one command may write, and which it may name.

    BadInput if another process holds it, or if the folder is read-only. The lock of one that was
    killed is no lock.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = stack.enter_context(hold(folder / LOCK, command=command))
        except OSError as error:
            raise BadInput(
                f"cannot write to {folder}: {error.strerror}; choose another --out"
            ) from error
        except Taken as taken:
            raise BadInput(_in_use(folder, taken.says)) from None
        _await_orphans(folder)
        yield held


def driver(folder: Path) -> Says | None:
    """Return what the command that writes to a folder says of itself; None if there is none."""
    return holder(folder / LOCK)


def _in_use(folder: Path, says: Says) -> str:
    if not says:
        return f"another command is writing to {folder}; wait for it, or use --out"
    who, since = f"process {says['process']} on {says['machine']}", clock(says["since"])
    what = f" ({says['command']})" if says.get("command") else ""
    return (
        f"{folder} is written by {who} since {since}{what}; wait for it, end it there with "
        f"`kill {says['process']}`, or use another --out"
    )


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Mark the folder as in use while a worker runs a trial, which may outlive its driver."""
    with (folder / ".working").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _await_orphans(folder: Path) -> None:
    """Wait for the workers of a killed sweep, or one of their trials would run twice.

    Ray ends them within seconds; the wait for one that hangs ends after ORPHANS_S.
    """
    deadline = time.monotonic() + ORPHANS_S
    with (folder / ".working").open("w") as file:
        while time.monotonic() < deadline:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)


def key(trial: Trial) -> Key:
    """Return the key by which the rows of a trial are found.

    Another source of the routing or another protocol gives other numbers, and a trial of a search
    cannot replace one of a confirmation.
    """
    return trial.id, trial.code_hash, protocol_hash(trial), trial.split


def row_key(row: Mapping[str, Any]) -> Key:
    """Return the `key` of the trial to which a row belongs."""
    return row["trial_id"], row["variant_code_hash"], row["protocol_hash"], row["split"]


def finished(rows: list[dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Return the last rows of finished trials, which need not run again, by `key`."""
    return {row_key(row): row for row in rows if row["final"] and row["status"] in FINISHED}


def attempts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many attempts at each trial have written a row, by trial id."""
    counted: dict[str, int] = {}
    for row in rows:
        counted[row["trial_id"]] = max(counted.get(row["trial_id"], 0), row["attempt"])
    return counted


def outdated(rows: list[dict[str, Any]]) -> str:
    """Return a note for users on rows whose source hash has an older form; empty without any."""
    count = sum(map(is_outdated, rows))
    if not count:
        return ""
    return (
        f"{count} rows are of an older schema, whose source hashes were of another form: they are "
        "shown as stale, and a sweep runs their trials again"
    )


def rows_in(path: Path, data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each line of a file's data, or of their end, with its row as `read_ledger` does."""
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            version = row["schema_version"]
            if version <= SCHEMA_VERSION:
                row = _whole(converted(row))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadInput(
                f"{path}:{number}: not a ledger row; move the file away or mend the line"
            ) from error
        if version > SCHEMA_VERSION:
            raise BadInput(
                f"{path}:{number}: written with schema version {version}, this darbench reads "
                f"up to {SCHEMA_VERSION}; use the darbench that wrote it "
                f"({row.get('darbench_version', 'unknown')}), or another --out"
            )
        yield line, row


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with every column; KeyError if it lacks one of NEEDED."""
    for name in NEEDED:
        row[name]
    return dict.fromkeys(COLUMNS) | row
