"""A leaderboard from a file of `darbench export`: `darbench import`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from darbench.commands.merge import merge
from darbench.store.unpacked import unpack


def import_(file: Path, out: Path) -> dict[str, Any]:
    """Unite the leaderboard of an archive with that of its name in `out`, which may be new.

    Returns what `merge` does. BadInput for what `export` would not have written; nothing of it
    stands in `out` then.
    """
    with TemporaryDirectory(prefix="darbench-") as aside:
        folder = Path(aside) / "leaderboard"
        name = unpack(file, folder)
        return merge([str(folder)], name, out) | {"name": name}
