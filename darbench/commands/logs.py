"""The log of a trial, also while it runs: `darbench logs`."""

import time
from collections.abc import Iterator
from pathlib import Path

from darbench.commands.leaderboards import leaderboards
from darbench.errors import BadInput, unknown
from darbench.store.at_work import at_work
from darbench.store.logs import FOLDER

EVERY_S = 0.5  # seconds between two looks


def find_log(trial: str, out: Path) -> Path:
    """Return the log of the trial whose id begins so, the newest if several leaderboards have it.

    BadInput if there is none, or if several trials' ids do.
    """
    logs = [path for f in leaderboards("", out) for path in (f / FOLDER).glob("*.log")]
    found = [path for path in logs if path.stem.startswith(trial)]
    if not logs:
        raise BadInput(f"no trial in {out} has a log yet")
    if not found:
        raise unknown(f"trial with a log in {out}", trial, {path.stem for path in logs})
    if len(several := sorted({path.stem for path in found})) > 1:
        raise BadInput(f"{len(several)} trials' ids begin with {trial}: {', '.join(several[:4])}")
    return max(found, key=lambda path: path.stat().st_mtime)


def follow(path: Path) -> Iterator[str]:
    """Yield what a log holds, and what is added to it until nobody works on its trial."""
    folder, trial = path.parents[1], path.stem
    with path.open(encoding="utf-8", errors="replace") as file:
        while True:
            busy = any(says.get("trial") == trial for says in at_work(folder))
            if text := file.read():
                yield text
            if not busy:
                return
            time.sleep(EVERY_S)
