"""The folders of leaderboards, by their names."""

from pathlib import Path

from darbench.command_line import command_line
from darbench.errors import BadInput, unknown
from darbench.store.ledger import LOCK

BEGUN = ("ledger", LOCK)  # one of these is in the folder of a leaderboard


def leaderboards(name: str, out: Path) -> list[Path]:
    """Return the folder of a leaderboard, or all of them in `out` for an empty name.

    The name may be that of a folder elsewhere. BadInput if there is no such leaderboard.
    """
    in_out = Path(name).name == name and is_leaderboard(out / name)
    if name and not in_out and is_leaderboard(Path(name)):
        return [Path(name)]
    if Path(name).name != name:
        raise BadInput(f"{name}: no sweep has written there; give a leaderboard's folder")
    return [in_folder(name, out)] if name else known(out)


def in_folder(name: str, out: Path) -> Path:
    """Return the folder of a leaderboard in `out`; BadInput if there is none."""
    names = {folder.name: folder for folder in known(out)}
    if name not in names:
        raise unknown(f"sweep in {out}", name, names)
    return names[name]


def known(out: Path) -> list[Path]:
    """Return the folders of all leaderboards in `out`; BadInput if there is none."""
    if found := sorted(path for path in out.glob("*") if is_leaderboard(path)):
        return found
    first = command_line(["darbench", "sweep", "--space", "dar_variants"], out)
    raise BadInput(f"no sweep has written to {out}; run one first, such as `{first}`")


def is_leaderboard(folder: Path) -> bool:
    return any((folder / each).exists() for each in BEGUN)
