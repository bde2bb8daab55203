"""The board of a sweep from its ledger: results.parquet and index.html beside it."""

from pathlib import Path

from darbench.board.page import write_page
from darbench.board.rank import sections
from darbench.command_line import command_line
from darbench.errors import BadInput
from darbench.store import importances
from darbench.store.declared import read as read_declared
from darbench.store.ledger import read_ledger
from darbench.store.tables import to_frame, write_parquet


def build(
    name: str,
    out: str | Path = "leaderboards",
    *,
    in_progress: str | None = None,
    interrupted: bool = False,
) -> Path:
    """Rebuild out/<name>/results.parquet and index.html; returns the path of the page.

    `in_progress` says how far the sweep is, while it runs or if it was `interrupted`. What the
    sweeps declared is read from the same folder. BadInput if the folder cannot be written.
    """
    folder = Path(out) / name
    rows = read_ledger(folder / "ledger")
    if not rows and in_progress is None:
        raise BadInput(f"no results in {folder / 'ledger'}; run the sweep that writes there first")
    frame = to_frame(rows)
    declared = read_declared(folder)
    try:
        write_parquet(frame, folder / "results.parquet")
        return write_page(
            name=name,
            boards=sections(frame, declared),
            out_dir=folder,
            samples_dir=folder / "samples",
            in_progress=in_progress,
            interrupted=interrupted,
            command=declared.command,
            importances=importances.read(folder),
        )
    except OSError as error:
        again = command_line(["darbench", "board", "--space", name], out)
        raise BadInput(
            f"cannot write the board to {folder}: {error.strerror}; the ledger is whole, and "
            f"`{again}` builds it once that is mended"
        ) from error
