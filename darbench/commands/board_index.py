"""The page over all leaderboards of a folder: `darbench board --index`."""

from pathlib import Path

from darbench.board.overview import Listed, write_overview
from darbench.board.rank import sections
from darbench.commands.leaderboards import is_leaderboard, known
from darbench.errors import BadInput
from darbench.store.declared import read as read_declared
from darbench.store.ledger import read_ledger
from darbench.store.tables import to_frame

PUBLISHED = "published"  # snapshots lie in a folder of that name


def board_index(out: Path) -> dict[str, str]:
    """Write out/index.html over the leaderboards there and in out/published; return its path.

    BadInput if there is none, or if the page cannot be written.
    """
    snapshots = sorted(path for path in (out / PUBLISHED).glob("*") if is_leaderboard(path))
    folders = snapshots if snapshots and not _has_own(out) else [*known(out), *snapshots]
    listed = [each for folder in folders for each in _listed(folder, out)]
    try:
        return {"index": str(write_overview(listed, out))}
    except OSError as error:
        raise BadInput(f"cannot write {out / 'index.html'}: {error.strerror}") from error


def _has_own(out: Path) -> bool:
    return any(map(is_leaderboard, out.glob("*")))


def _listed(folder: Path, out: Path) -> list[Listed]:
    frame, name = to_frame(read_ledger(folder / "ledger")), folder.relative_to(out).as_posix()
    boards = sections(frame, read_declared(folder))
    return [Listed(folder=name, place=k, board=each) for k, each in enumerate(boards, start=1)]
