"""The book-keeping of a sweep: which trial comes next, how each ended, when to build the board.

It does not depend on Ray. The pool that runs the trials gets one with `take`, and returns its last
row with `end`.
"""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from darbench.board.build import build
from darbench.errors import BadInput
from darbench.records.paper import bibtex
from darbench.records.trial import Trial
from darbench.registry import ENCODERS, ROUTINGS
from darbench.registry.written import written
from darbench.search.ground import named
from darbench.search.progress import Listener, Progress, trial_name
from darbench.search.propose import proposer
from darbench.search.proposer import Exhausted, Proposer
from darbench.search.space import SearchSpace
from darbench.search.warm_start import lessons
from darbench.search.worker import RowWriter, failure
from darbench.store import declared, importances, ledger
from darbench.store.claims import Claims
from darbench.store.news import News
from darbench.store.sources import Source, keep
from darbench.store.verdicts import KeptVerdicts

LOOK_S = 1.0  # between two looks at trials that others run
BOARD_EVERY = 10.0  # seconds between rebuilds while trials finish
LOST = "its worker process died"


@dataclass
class Driver:
    """The state of a sweep in the process that was started for it."""

    proposer: Proposer
    progress: Progress
    listener: Listener
    folder: Path  # leaderboards/<name>
    attempts: dict[str, int]  # number of attempts that wrote a row, by trial id
    retries: int  # of a trial whose process died, or had no memory left
    device: str
    command: str  # shown on the board
    sources: Mapping[str, str]  # code hash by routing
    claims: Claims

    def __post_init__(self):
        self._built = 0.0
        self._next: Trial | None = None
        self._again: deque[Trial] = deque()
        self._retried: Counter[str] = Counter()  # by trial id
        self._elsewhere: list[Trial] = []  # workers without a driver have them
        self._looked = 0.0
        self._news = News(self.folder / "ledger")
        self.claims.forget()  # this one has the lock
        self.exhausted = False

    @classmethod
    def of(
        cls, space: SearchSpace, folder: Path, *, device: str, command: str, listener: Listener
    ) -> "Driver":
        """Make the driver of a space's sweep, which continues from the ledger in the folder."""
        rows = ledger.read_ledger(folder / "ledger")
        with _writing(folder):
            kept, others = KeptVerdicts(folder), lessons(space, folder)
            named = proposer(space, rows, declared.read(folder).seeds, kept, others)
        progress = Progress(total=named.total, skipped=named.skipped)
        return cls(
            proposer=named,
            progress=progress,
            listener=listener,
            folder=folder,
            attempts=ledger.attempts(rows),
            retries=space.retries,
            device=device,
            command=command,
            sources={e.signature.name: e.signature.code_hash for e in space.entries},
            claims=Claims(folder, "driver"),
        )

    @property
    def finished(self) -> bool:
        """Whether every trial has run and ended."""
        waits = self._again or self._elsewhere
        return self.exhausted and not waits and self.progress.running == 0

    def peek(self) -> bool:
        """Whether there is a trial to run now."""
        if self._next is None and self._again:
            self._next = self._again.popleft()
        if self._next is None:
            self._next = self._from_elsewhere() or self._proposed()
        self.progress.total = self.proposer.total
        self.progress.skipped = self.proposer.skipped
        return self._next is not None

    def _proposed(self) -> Trial | None:
        """The next trial that is proposed and nobody else runs."""
        while not self.exhausted:
            try:
                trial = self.proposer.next()
            except Exhausted:
                self.exhausted = True
                break
            if trial is None or self._mine(trial):
                return trial
        return None

    def _mine(self, trial: Trial) -> bool:
        """Claim a trial; if others have it, or had, it is noted how it ended, now or later."""
        if not self.claims.take(trial.id):
            self._elsewhere.append(trial)
            return False
        self._news.look()
        row = self._news.last.get(ledger.key(trial))
        if row is None or row["status"] not in ledger.FINISHED:
            self.attempts[trial.id] = self._news.attempts.get(trial.id, 0)
            return True
        self._ended(trial, row)
        return False

    def _from_elsewhere(self) -> Trial | None:
        """A trial that another has left behind, looked for now and then."""
        now = time.monotonic()
        if not self._elsewhere or now - self._looked < LOOK_S:
            return None
        self._looked, others, self._elsewhere = now, self._elsewhere, []
        for number, trial in enumerate(others):
            if self._mine(trial):
                self._elsewhere += others[number + 1 :]
                return trial
        return None

    def take(self) -> Trial:
        trial, self._next = self._next, None
        self.progress.began(trial)
        self.say(f"started: {trial_name(trial, self._at(trial))}")
        return trial

    def attempt(self, trial: Trial) -> int:
        return self.attempts.get(trial.id, 0) + 1

    def pruned(self, trial: Trial) -> str:
        """Why a trial ends without a step; empty if it is to run."""
        return self.proposer.pruned(trial)

    def reached(self, trial: Trial, row: Mapping[str, Any]) -> None:
        """Note that a trial wrote the row of a checkpoint; it goes on unless it is pruned then."""
        with _writing(self.folder):
            self.proposer.heard(trial, row)
        name = trial_name(trial, self._at(trial))
        self.say(f"step {row['step']}: {name}: val_loss {row['val_loss']:.4f}")

    def told(self, trial: Trial, note: str) -> None:
        """Note what a trial says of itself."""
        self.say(f"{trial_name(trial, self._at(trial))}: {note}")

    def end(self, trial: Trial, row: Mapping[str, Any] | None) -> None:
        """Note that a trial ended with this row; None if its worker died without one."""
        if row is None or not row["final"]:
            row = self._lost(trial)
        if self._worth_another(trial, row):
            self._retried[trial.id] += 1
            return self.put_back(trial, f"{row['status']} ({row['error']}), tried again")
        self._ended(trial, row)
        if time.monotonic() - self._built > BOARD_EVERY:
            try:
                self.build_board()
            except Exception as error:  # the trials matter more than the page
                self.say(f"the board could not be rebuilt: {error}")

    def put_back(self, trial: Trial, why: str) -> None:
        """Note that a trial was cut off, and is to run again."""
        attempt = self.attempt(trial)
        if ledger.latest(self.folder / "ledger", trial.id, attempt) is not None:
            self.attempts[trial.id] = attempt
        self._again.append(trial)
        self.progress.cut_off(trial)
        self.say(f"{trial_name(trial, self._at(trial))}: {why}")

    def _ended(self, trial: Trial, row: Mapping[str, Any]) -> None:
        self.claims.give_back(trial.id)
        with _writing(self.folder):
            self.proposer.tell(trial, row)
        self.progress.ended(trial, row, self._at(trial))
        self.listener(self.progress)

    def say(self, event: str) -> None:
        self.progress.event = event
        self.listener(self.progress)

    def build_board(self, *, interrupted: bool = False) -> Path:
        p = self.progress
        ended = p.skipped + p.ended_now
        state = f"{ended} of {p.total} trials ended" if interrupted or p.left else None
        self._declare()
        if self.finished:
            importances.write(self.folder, self.proposer.importances())
        path = build(
            self.folder.name, self.folder.parent, in_progress=state, interrupted=interrupted
        )
        self._built = time.monotonic()
        return path

    def _declare(self) -> None:
        files = {name: _name(ROUTINGS.file_of(name)) for name in ROUTINGS.foreign()}
        encoders = {f"encoder {e}": _name(ENCODERS.file_of(e)) for e in ENCODERS.foreign()}
        declares = self.proposer.declares
        extended = declared.read(self.folder).extended(
            declares.seeds,
            command=self.command,
            rank_by=declares.rank_by,
            places=declares.places,
            controls=declares.controls,
            sources=self.sources,
            files={name: file for name, file in files.items() if name in self.sources} | encoders,
        )
        declared.write(self.folder, extended)
        for name, code_hash in self.sources.items():
            keep(self.folder, code_hash, partial(_source, name))

    def _at(self, trial: Trial) -> str:
        """The point of the axes on which a trial stands, in words."""
        places = self.proposer.declares.places.get(trial.config_hash, [])
        return named(places[0].point) if places else ""

    def _worth_another(self, trial: Trial, row: Mapping[str, Any]) -> bool:
        """Whether a trial failed by what may be otherwise now, and was not tried too often."""
        machine = row["status"] == "oom" or row["error"] == LOST
        return machine and self._retried[trial.id] < self.retries

    def _lost(self, trial: Trial) -> dict[str, Any]:
        """Return the last row of a trial whose worker died, and write one if it has none."""
        attempt = self.attempt(trial)
        row = ledger.latest(self.folder / "ledger", trial.id, attempt)
        if row is not None and row["final"]:
            return row
        report = failure("crashed", row["step"] if row else 0, LOST)
        writer = RowWriter(folder=self.folder, device=self.device, name="driver")
        with _writing(self.folder):
            return writer.append(trial, report, attempt)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say as BadInput what is wrong with a folder to which nothing can be written."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"cannot write to {folder}: {error.strerror}; mend that, and run the command "
            "again: what was written is safe"
        ) from error


def _source(name: str) -> Source:
    """The code of a routing, and how its paper is cited."""
    made = ROUTINGS.get(name)
    paper, cited = getattr(made, "paper", ""), getattr(made, "citation", None)
    return Source(
        files=written(made, ROUTINGS.always), bibtex=bibtex(name, paper, cited) if paper else ""
    )


def _name(file: str) -> str:
    """The name of a file without its folder; empty for the cell of a notebook, which is none."""
    return Path(file).name if Path(file).is_file() else ""
