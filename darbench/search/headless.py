"""A worker without a driver: it claims a trial of a grid, trains it, and claims the next.

Any number of them share a leaderboard's folder, on one machine or on many.
"""

import socket
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.records.trial import Trial
from darbench.search import machine
from darbench.search.apart import Apart
from darbench.search.feasible import checked_space
from darbench.search.grid import Grid
from darbench.search.progress import trial_name
from darbench.search.space import SearchSpace
from darbench.search.worker import RowWriter, failure
from darbench.store import ledger
from darbench.store.claims import SILENT_S, Claims
from darbench.store.news import News

LOOK_S = 1.0  # between two looks at trials that others run
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Worked:
    """What one worker did; `elsewhere` trials had ended, or were others'."""

    name: str
    folder: Path
    total: int
    done: int
    failed: int

    @property
    def elsewhere(self) -> int:
        return self.total - self.done - self.failed


def work(
    space: str,
    overrides: Iterable[str] = (),
    *,
    out: str | Path = "leaderboards",
    device: str = "auto",
    quick: bool = False,
    own: Iterable[str] = (),
    files: Sequence[str] = (),
    silent_s: float = SILENT_S,
    say: Say = lambda line: None,
) -> Worked:
    """Run trials of a grid that nobody else runs, until all have ended.

    One that failed is left to the next sweep. files: what was loaded, for the process that trains.
    silent_s: after which a worker that says nothing is dead, the same for all.
    """
    made = checked_space(space, overrides, quick=quick, own=own)
    trials = _declared(made)
    folder = Path(out).resolve() / made.name
    name = f"{content_hash(socket.gethostname())[:8]}-{uuid.uuid4().hex[:8]}"
    worker = Worker(folder, machine.device(device), name, trials, files, silent_s, say)
    done, failed = worker.run()
    return Worked(name=made.name, folder=folder, total=len(trials), done=done, failed=failed)


def _declared(space: SearchSpace) -> list[Trial]:
    """All trials of a space; BadInput if they are chosen by what has ended."""
    adaptive = {
        f"sampler={space.sampler}": space.sampler != "grid",
        "coarse.seeds": space.coarse_seeds,
        "tune.over": space.tune,
    }
    for key, given in adaptive.items():
        if given:
            raise BadInput(
                f"{key}: what runs next depends on what has ended, which needs a driver: use "
                "`darbench sweep`, or a grid"
            )
    grid = Grid(space, [])
    return [grid.next() for _ in range(grid.total)]


class Worker:
    """The loop of a worker over trials that others may run, too."""

    def __init__(
        self,
        folder: Path,
        device: str,
        name: str,
        trials: Sequence[Trial],
        files: Sequence[str],
        silent_s: float,
        say: Say,
    ):
        try:
            self.claims = Claims(folder, name, silent_s)
        except OSError as error:
            raise BadInput(
                f"cannot write to {folder}: {error.strerror}; choose another --out"
            ) from error
        self.folder, self.trials, self.say = folder, trials, say
        self.news = News(folder / "ledger")
        self.writer = RowWriter(folder=folder, device=device, name=name)
        self.apart = Apart(folder, device, name, files)

    def run(self) -> tuple[int, int]:
        """Return how many trials this worker did, and how many failed here."""
        statuses = []
        with self.claims.beating(), closing(self.apart):
            while left := self._left():
                trial = next((each for each in left if self.claims.take(each.id)), None)
                if trial is None:
                    time.sleep(LOOK_S)
                    continue
                if trial in self._left():  # another may just have ended it
                    statuses.append(self._train(trial))
                self.claims.give_back(trial.id)
        return statuses.count("ok"), len(statuses) - statuses.count("ok")

    def _left(self) -> list[Trial]:
        self.news.look()
        return [trial for trial in self.trials if ledger.key(trial) not in self.news.last]

    def _train(self, trial: Trial) -> str:
        attempt = self.news.attempts.get(trial.id, 0) + 1
        self.say(f"started: {trial_name(trial)}")
        row: dict[str, Any] | None = None
        for row in self.apart.run(trial, attempt):  # noqa: B007
            pass
        if row is None or not row["final"]:
            row = self._lost(trial, attempt)
        said = row["error"] or f"{trial.task.rank_by} {row[trial.task.rank_by]:.4f}"
        self.say(
            f"{'done' if row['status'] == 'ok' else row['status']}: {trial_name(trial)}: {said}"
        )
        return row["status"]

    def _lost(self, trial: Trial, attempt: int) -> dict[str, Any]:
        """The last row of a trial whose process died; one is written if it has none."""
        row = ledger.latest(self.folder / "ledger", trial.id, attempt)
        if row is not None and row["final"]:
            return row
        report = failure("crashed", row["step"] if row else 0, "its worker process died")
        return self.writer.append(trial, report, attempt)
