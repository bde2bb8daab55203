"""The page of a leaderboard, rebuilt from its ledger: `darbench board`."""

from collections.abc import Callable
from pathlib import Path

from darbench.board.build import build
from darbench.commands.leaderboards import in_folder
from darbench.errors import BadInput
from darbench.store import ledger


def board(space: str, out: Path, say: Callable[[str], None] = lambda line: None) -> dict[str, str]:
    """Rebuild the page and the table, and return their paths; BadInput if no such sweep has run.

    `say` is called with a line where rows of an older schema are shown as stale.
    """
    if Path(space).name != space:
        raise BadInput(f"--space {space}: the name of a folder in {out}, not a path")
    outdated = ledger.outdated(ledger.read_ledger(in_folder(space, out) / "ledger"))
    if outdated:
        say(outdated)
    return {"board": str(build(space, out)), "results": str(out / space / "results.parquet")}
