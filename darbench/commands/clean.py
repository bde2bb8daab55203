"""The removal of what nobody needs, or what can be made again: `darbench clean`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from darbench import cache
from darbench.commands.leaderboards import leaderboards
from darbench.store import ledger
from darbench.store.at_work import dead_workers
from darbench.store.leftovers import leftovers, partials, unfinished


def clean(
    name: str, out: Path, *, states: bool = False, cached: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Remove it from a leaderboard, or all in `out`, and return the bytes of each kind.

    That is what finished trials and killed processes have left; with `states` also what trials
    that are not finished would go on from, and with `cached` all that darbench keeps so as not to
    work it out twice. BadInput if there is no such leaderboard, or if something runs there.
    """
    freed: dict[str, int] = {}
    for folder in leaderboards(name, out):
        with ledger.lock(folder, "darbench clean"):
            for kind, files in _needless(folder, states).items():
                freed[kind] = freed.get(kind, 0) + _remove(files, dry_run)
    if cached:
        freed["cache"] = _remove(cache.entries(), dry_run)
    return {"freed": freed, "dry_run": dry_run}


def _needless(folder: Path, states: bool) -> dict[str, list[Path]]:
    rows = ledger.read_ledger(folder / "ledger")
    kinds = {
        "states of finished trials": leftovers(folder, rows),
        "files of killed processes": [*partials(folder), *dead_workers(folder)],
    }
    return kinds | ({"states of unfinished trials": unfinished(folder, rows)} if states else {})


def _remove(files: Iterable[Path], dry_run: bool) -> int:
    """Remove files, and the folders that this empties, and return their bytes."""
    freed = 0
    for file in files:
        freed += file.lstat().st_size
        if not dry_run:
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
    return freed
