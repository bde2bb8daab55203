"""The rows that a ledger grows by, whoever writes them: each look reads what is new."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from darbench.store import ledger


class Tail:
    """A reader of a ledger's folder that yields each of its rows once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._read: dict[Path, int] = {}  # bytes of each file

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield what was added since the last look; the end of a write in progress waits."""
        for path in sorted(self._folder.glob("*.jsonl")):
            begin = self._read.get(path, 0)
            with path.open("rb") as file:
                file.seek(begin)
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._read[path] = begin + whole
            for _, row in ledger.rows_in(path, data[:whole]):
                yield row
