"""What a pruner was asked, in that order, and what it said: `verdicts.jsonl` beside the ledger.

The ledger has a file for each worker and so no order among them; a pruner's answer depends on one.
A line names a row of the ledger by its hash, and holds no number: with both every answer can be
had again. Where it is lost, what was pruned stays so, for the ledger says that too.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from darbench.store import ledger

FILE = "verdicts.jsonl"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    row: str  # the hash of the row that was heard
    pruned: str  # why its configuration was to stop; empty if it went on


class Verdicts:
    """Verdicts in memory, those of before first."""

    def __init__(self, before: Iterator[Verdict] | tuple[Verdict, ...] = ()):
        self.given = [*before]

    def add(self, verdict: Verdict) -> None:
        self.given.append(verdict)


class KeptVerdicts(Verdicts):
    """Verdicts in a leaderboard's folder; one is on the disk before anybody acts on it."""

    def __init__(self, folder: Path):
        self._path = folder / FILE
        super().__init__(read(folder))
        _cut(self._path)

    def add(self, verdict: Verdict) -> None:
        """Add a verdict; OSError if it cannot be written."""
        ledger.append(self._path, {"row": verdict.row, "pruned": verdict.pruned})
        super().add(verdict)


def read(folder: Path) -> Iterator[Verdict]:
    """Yield the verdicts of a leaderboard in their order; what is no verdict is passed over."""
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return
    for line in lines:
        try:
            said = json.loads(line)
            yield Verdict(row=str(said["row"]), pruned=str(said["pruned"]))
        except (ValueError, TypeError, KeyError):
            continue


def why_pruned(folder: Path, row: str) -> str:
    """Return why a row was the last of its trial; empty if the trial goes on."""
    return next((each.pruned for each in read(folder) if each.row == row), "")


def _cut(path: Path) -> None:
    """Cut off a torn last line, which would spoil the next one."""
    if path.is_file():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)
