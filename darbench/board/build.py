"""The board of a sweep from its ledger: results.parquet and index.html beside it."""

from collections.abc import Sequence
from pathlib import Path

from darbench.board.page import write_page
from darbench.board.rank import sections
from darbench.errors import BadInput
from darbench.store.ledger import read_ledger
from darbench.store.tables import to_frame, write_parquet


def build(
    name: str,
    out: str | Path = "leaderboards",
    *,
    in_progress: str | None = None,
    rank_by: str = "val_loss",
    pair_ids: Sequence[int] = (),
    command: str = "",
) -> Path:
    """Rebuild out/<name>/results.parquet and index.html; returns the path of the page.

    `rank_by` is the task's; `pair_ids` are the seeds every entry must have. See
    darbench.board.rank.sections and darbench.board.page.write_page for the others.
    """
    folder = Path(out) / name
    rows = read_ledger(folder / "ledger")
    if not rows and in_progress is None:
        raise BadInput(
            f"no results in {folder / 'ledger'}; run `darbench sweep --space {name}` first"
        )
    frame = to_frame(rows)
    write_parquet(frame, folder / "results.parquet")
    return write_page(
        name=name,
        sections=sections(frame, rank_by, pair_ids),
        out_dir=folder,
        samples_dir=folder / "samples",
        in_progress=in_progress,
        command=command or f"darbench sweep --space {name}",
    )
