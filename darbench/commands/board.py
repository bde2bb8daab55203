"""The page of a leaderboard, rebuilt from its ledger: `darbench board`."""

from collections.abc import Callable
from pathlib import Path

from darbench.board.build import build
from darbench.command_line import command_line
from darbench.errors import BadInput, unknown
from darbench.store import ledger


def board(space: str, out: Path, say: Callable[[str], None] = lambda line: None) -> dict[str, str]:
    """Rebuild the page and the table, and return their paths; BadInput if no such sweep has run.

    `say` is called with a line where rows of an older schema are shown as stale.
    """
    if Path(space).name != space:
        raise BadInput(f"--space {space}: the name of a folder in {out}, not a path")
    if not (out / space / "ledger").is_dir():
        ran = [p.parent.name for p in out.glob("*/ledger")] if out.is_dir() else []
        if not ran:
            first = command_line(["darbench", "sweep", "--space", "dar_variants"], out)
            raise BadInput(f"no sweep has written to {out}; run one first, such as `{first}`")
        raise unknown(f"sweep in {out}", space, ran)
    outdated = ledger.outdated(ledger.read_ledger(out / space / "ledger"))
    if outdated:
        say(outdated)
    return {"board": str(build(space, out)), "results": str(out / space / "results.parquet")}
