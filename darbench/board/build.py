"""The board of a sweep from its ledger: results.parquet and index.html beside it."""

from collections.abc import Sequence
from pathlib import Path

from darbench.board.page import write_page
from darbench.board.rank import sections
from darbench.errors import BadInput
from darbench.store.ledger import read_ledger
from darbench.store.tables import to_frame, write_parquet

COMMAND = "command.txt"  # beside the ledger: the last sweep's command line


def build(
    name: str,
    out: str | Path = "leaderboards",
    *,
    in_progress: str | None = None,
    pair_ids: Sequence[int] = (),
) -> Path:
    """Rebuild out/<name>/results.parquet and index.html; returns the path of the page.

    `in_progress` says how far the sweep is, while it runs; `pair_ids` are the seeds every entry
    must have. The command shown is the one that the last sweep left in COMMAND.
    """
    folder = Path(out) / name
    rows = read_ledger(folder / "ledger")
    if not rows and in_progress is None:
        raise BadInput(
            f"no results in {folder / 'ledger'}; run `darbench sweep --space {name}` first"
        )
    frame = to_frame(rows)
    command = folder / COMMAND
    write_parquet(frame, folder / "results.parquet")
    return write_page(
        name=name,
        sections=sections(frame, pair_ids),
        out_dir=folder,
        samples_dir=folder / "samples",
        in_progress=in_progress,
        command=command.read_text() if command.is_file() else f"darbench sweep --space {name}",
    )
