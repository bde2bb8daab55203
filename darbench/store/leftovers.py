"""Files in the folder of a leaderboard that nobody needs: of trials that have ended, or of killed
processes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from darbench.files import abandoned
from darbench.store import ledger
from darbench.store.at_work import dead_workers
from darbench.store.states import FOLDER, PLAIN


def leftovers(folder: Path, rows: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Return the files of states of trials that are finished, and of states that nobody can read.

    Their process was killed after it had written the last row.
    """
    finished = {key[:3] for key in ledger.finished([*rows])}
    return [file for kept in _trials(folder) if _done(kept, finished) for file in kept.iterdir()]


def unfinished(folder: Path, rows: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Return the files of all other states, from which trials would go on."""
    done = {*leftovers(folder, rows)}
    return [file for kept in _trials(folder) for file in kept.iterdir() if file not in done]


def forget(folder: Path) -> None:
    """Remove what finished trials and killed processes have left; needs the `lock`."""
    for file in (*leftovers(folder, ledger.read_ledger(folder / "ledger")), *dead_workers(folder)):
        file.unlink(missing_ok=True)
        with suppress(OSError):  # others are in it
            file.parent.rmdir()


def partials(folder: Path) -> list[Path]:
    """Return the files that processes of this machine were writing when they were killed."""
    within = [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]
    return [file for each in (folder, *within) for file in abandoned(each)]


def _trials(folder: Path) -> Iterator[Path]:
    """Yield the folders of trials with states."""
    with suppress(OSError):
        yield from sorted(path for path in (folder / FOLDER).iterdir() if path.is_dir())


def _done(kept: Path, finished: set[tuple]) -> bool:
    identities = [identity for path in kept.glob(f"*{PLAIN}") if (identity := _identity(path))]
    return all(identity in finished for identity in identities)


def _identity(path: Path) -> tuple[str, str, str] | None:
    """Return the configuration, source and protocol that a state is of; None if it is damaged."""
    try:
        of = json.loads(path.read_text())["identity"]
        return of["configuration"], of["source"], of["protocol"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
