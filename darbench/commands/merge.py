"""The union of leaderboards, such as those of several machines: `darbench merge`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from darbench.commands.leaderboards import leaderboards
from darbench.errors import BadInput
from darbench.store import declared, ledger
from darbench.store.united import add_lines, conflicts, united_declared, united_rows
from darbench.store.united_files import take_files


def merge(names: Sequence[str], to: str, out: Path) -> dict[str, Any]:
    """Unite leaderboards, by name or folder, in out/to, and return what came of it.

    One that is there already is united with them. Every row is kept; where several give a step of
    a trial different numbers, that is listed. BadInput if something is no leaderboard.
    """
    if to in ("", "..") or Path(to).name != to:
        raise BadInput(f"--to {to}: the name of a leaderboard in {out}, not a path")
    folders, target = [leaderboards(name, out)[0] for name in names], out / to
    with ledger.lock(target, "darbench merge"):
        repaired = ledger.repair(target / "ledger")
        own = united_rows([target])
        rows = own | united_rows(folders)
        said = [declared.read(each) for each in (target, *folders)]
        add_lines(target, new := rows.keys() - own.keys())
        declared.write(target, united_declared(said, rows.values()))
        files = take_files(target, folders)
    found = conflicts(rows.values())
    return {
        "folder": str(target),
        "rows": len(rows),
        "new": len(new),
        "files": files,
        "conflicts": [asdict(each) for each in found],
        "notes": repaired,
    }
