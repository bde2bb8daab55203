"""A leaderboard as one file for somebody else: `darbench export`."""

from pathlib import Path
from typing import Any

from darbench.commands.leaderboards import leaderboards
from darbench.errors import BadInput
from darbench.store import sound
from darbench.store.archive import pack


def export(name: str, to: Path, out: Path, *, samples: bool = False) -> dict[str, Any]:
    """Write the archive of a leaderboard, given by name or folder, and return what is in it.

    BadInput if it has no rows, or if the file cannot be written.
    """
    folder = leaderboards(name, out)[0].resolve()
    if not any((folder / "ledger").glob("*.jsonl")):
        raise BadInput(f"{name}: nothing has been measured there yet")
    if not sound.is_name(folder.name):
        raise BadInput(f"{folder.name}: rename the folder; a name has letters, digits, _ . and -")
    try:
        stored = pack(folder, to, folder.name, samples=samples)
    except OSError as error:
        raise BadInput(f"cannot write {to}: {error.strerror}; choose another --to") from error
    pictures = [file for file in stored if file.startswith("samples/")]
    return {"file": str(to), "bytes": to.stat().st_size, "samples": len(pictures)}
