"""How trials ended, in a ledger to which other processes add."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darbench.store import ledger
from darbench.store.tail import Tail


class News:
    """The newest last row of each trial, and how often each was tried."""

    def __init__(self, folder: Path):
        self._tail = Tail(folder)
        self.last: dict[ledger.Key, Mapping[str, Any]] = {}
        self.attempts: dict[str, int] = {}  # that have written a row, by trial id

    def look(self) -> None:
        """Read what was added since the last look."""
        for row in self._tail.rows():
            self._note(row)

    def _note(self, row: Mapping[str, Any]) -> None:
        trial, key = row["trial_id"], ledger.row_key(row)
        self.attempts[trial] = max(self.attempts.get(trial, 0), row["attempt"])
        before = self.last.get(key)
        done = before is not None and before["status"] in ledger.FINISHED
        if row["final"] and not (done and row["status"] not in ledger.FINISHED):
            self.last[key] = row
