"""How a leaderboard stands, also while its sweep runs: `darbench status`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from darbench import cache
from darbench.commands.leaderboards import leaderboards
from darbench.store.logs import log_file, tail
from darbench.store.standing import standing

LINES = 3  # of the log of a trial that failed
PARTS = ("ledger", "states", "weights", "samples", "sources", "logs")


def status(name: str, out: Path) -> list[dict[str, Any]]:
    """Return how the leaderboard of this name or folder stands, or all in `out`, as plain values.

    BadInput if there is none.
    """
    return [_of(folder) for folder in leaderboards(name, out)]


def _of(folder: Path) -> dict[str, Any]:
    found = standing(folder)
    failures = [_failure(folder, row) for row in found.failures]
    return asdict(found) | {"failures": failures, "disk": _disk(folder), "cache": _cache()}


def _failure(folder: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: row[key] for key in ("trial_id", "label", "pair_id", "status", "error")}
    said = tail(log_file(folder, row["trial_id"]), LINES)
    return kept | {"when": row["created_utc"], "log": said}


def _disk(folder: Path) -> dict[str, int]:
    """Return the bytes of each part of a leaderboard's folder, and of the rest."""
    parts = {part: _bytes((folder / part).rglob("*")) for part in PARTS}
    whole = _bytes(folder.rglob("*"))
    return parts | {"other": whole - sum(parts.values())}


def _cache() -> dict[str, Any]:
    return {"folder": str(cache.folder()), "bytes": _bytes(cache.folder().rglob("*"))}


def _bytes(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:  # removed meanwhile
            continue
    return total
