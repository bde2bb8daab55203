"""The page of a leaderboard, built again from its ledger: `darbench board`."""

from pathlib import Path

from darbench.board.build import build
from darbench.errors import BadInput, unknown


def board(space: str, out: Path) -> dict[str, str]:
    """The paths of the page and of the table; BadInput where no sweep of that name has run."""
    if Path(space).name != space:
        raise BadInput(f"--space {space}: the name of a folder in {out}, not a path")
    if not (out / space / "ledger").is_dir():
        ran = [p.parent.name for p in out.glob("*/ledger")] if out.is_dir() else []
        if not ran:
            raise BadInput(f"no sweep has written to {out}; run `darbench sweep --space {space}`")
        raise unknown(f"sweep in {out}", space, ran)
    return {"board": str(build(space, out)), "results": str(out / space / "results.parquet")}
