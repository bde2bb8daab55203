"""Sweeps: Ray Tune runs the trials a proposer names, the ledger keeps them, the board shows them.

The only file that imports Ray. Workers write the ledger themselves; what travels back through
Ray is only news, so a driver that dies loses no checkpoint, and the same command goes on.
"""

import logging
import os
import pickle
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from darbench.arithmetic import plain_arithmetic
from darbench.board.build import build
from darbench.records.trial import Trial
from darbench.registry import ENCODERS, ROUTINGS, signatures
from darbench.search import machine
from darbench.search.checked import checked
from darbench.search.compose import departure, load_space
from darbench.search.progress import Listener, Progress, name
from darbench.search.propose import Exhausted, Proposer, proposer
from darbench.search.space import SearchSpace
from darbench.search.worker import Desk, failure, run_trial, watchdog
from darbench.store import declared, ledger

BOARD_EVERY = 10.0  # seconds between rebuilds while trials finish

# Before Ray is imported: no output but ours; and no memory monitor, whose kill of one worker
# makes Tuner.fit raise and the whole sweep with it (seen with Ray 2.60).
_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it waits until every worker reaches a checkpoint
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a sweep did. `left` trials remain if it was interrupted."""

    name: str
    total: int
    skipped: int
    done: int
    failed: int
    interrupted: bool
    folder: Path
    board: Path
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        return self.total - self.skipped - self.done - self.failed

    @property
    def results(self) -> Path:
        return self.folder / "results.parquet"

    def summary(self) -> dict[str, Any]:
        """Plain values, for a machine to read."""
        paths = {"board": str(self.board), "results": str(self.results)}
        return {**asdict(self), **paths, "folder": str(self.folder), "left": self.left}


Run = Callable[[str, Iterable[str]], Outcome]  # `sweep`, told all but the space and the overrides


def preview(
    space: str,
    overrides: Iterable[str] = (),
    *,
    out: str | Path = "leaderboards",
    quick: bool = False,
    own: Iterable[str] = (),
) -> dict[str, Any]:
    """What `sweep` would run, as plain values; nothing is written."""
    found = plan(space, overrides, quick=quick, own=own)
    proposing = proposer(found, ledger.read_ledger(Path(out).resolve() / found.name / "ledger"))
    with suppress(Exhausted):
        proposing.next()  # a study finds what is finished only as it goes
    grid = found.sampler == "grid"
    labels = [c.variant.label for c in found.grid()] if grid else [e.name for e in found.entries]
    return {
        "name": found.name,
        "sampler": found.sampler,
        "seeds": list(found.seeds),
        "steps": found.training.steps,
        "configurations": labels,
        "total": proposing.total,
        "finished": proposing.skipped,
    }


def plan(
    space: str, overrides: Iterable[str] = (), *, quick: bool = False, own: Iterable[str] = ()
) -> SearchSpace:
    """The space as a sweep would run it, every configuration checked; BadInput otherwise."""
    found = load_space(space, overrides, signatures(), quick=quick, own=own)
    grid = found.sampler == "grid"
    for configuration in found.grid() if grid else found.samples():
        checked(found.trial(configuration, found.seeds[0], "confirm"), configuration.variant.label)
    return found


def sweep(
    space: str,
    overrides: Iterable[str] = (),
    *,
    out: str | Path = "leaderboards",
    workers: int | None = None,
    device: str = "auto",
    quick: bool = False,
    own: Iterable[str] = (),
    command: str = "",
    listener: Listener = lambda progress: None,
) -> Outcome:
    """Run every trial of the space that its ledger does not hold, and build the board.

    space and overrides: as for `darbench sweep --space`. workers: trials at a time, by default
    one a core, or one a GPU. device: auto, cpu or cuda. own: registered routings that join the
    space's variants with their defaults. command: shown on the board. listener is
    called after every event. Raises BadInput before anything starts if something is wrong.
    """
    started = time.monotonic()
    found = plan(space, overrides, quick=quick, own=own)
    device = machine.device(device)
    folder = Path(out).resolve() / found.name
    workers, note = machine.workers(workers, device)
    with ledger.lock(folder):
        notes = ledger.repair(folder / "ledger")
        rows = ledger.read_ledger(folder / "ledger")
        proposing = proposer(found, rows)
        notes += filter(None, [note, departure(found.task)])
        if all(entry.signature.name != "add" for entry in found.entries):
            notes.append("the space has no `add`: without it there is nothing to compare with")
        progress = Progress(
            total=proposing.total,
            skipped=proposing.skipped,
            workers=workers,
            rank_by=found.task.rank_by,
        )
        office = Office(
            proposer=proposing,
            progress=progress,
            listener=listener,
            folder=folder,
            attempts=ledger.attempts(rows),
            device=device,
            command=command,
            sources={e.signature.name: e.signature.code_hash for e in found.entries},
        )
        for note in notes:
            office.say(note)
        interrupted = not _run(office, workers)
        board = office.build_board(interrupted=interrupted)
    return Outcome(
        name=found.name,
        total=proposing.total,
        skipped=proposing.skipped,
        done=progress.done,
        failed=progress.failed,
        interrupted=interrupted,
        folder=folder,
        board=board,
        seconds=time.monotonic() - started,
        notes=tuple(notes),
    )


@dataclass
class Office:
    """The driver's side of a sweep: hands out trials, counts them, keeps the board fresh."""

    proposer: Proposer
    progress: Progress
    listener: Listener
    folder: Path
    attempts: Mapping[str, int]
    device: str
    command: str
    sources: Mapping[str, str]  # code hash by routing

    def __post_init__(self):
        self._built = 0.0
        self._next: Trial | None = None
        self.exhausted = False

    def peek(self) -> bool:
        """Whether there is a trial to run now."""
        if self._next is None and not self.exhausted:
            try:
                self._next = self.proposer.next()
            except Exhausted:
                self.exhausted = True
        self.progress.total = self.proposer.total
        self.progress.skipped = self.proposer.skipped
        return self._next is not None

    def take(self) -> Trial:
        trial, self._next = self._next, None
        self.progress.running += 1
        self.say(f"started: {name(trial)}")
        return trial

    def end(self, trial: Trial, row: Mapping[str, Any] | None) -> None:
        """A trial ended with this row; None if its worker was lost without one."""
        if row is None or not row["final"]:
            row = self._lost(trial)
        self.proposer.tell(trial, row)
        self.progress.running -= 1
        self.progress.ended(trial, row)
        self.listener(self.progress)
        if time.monotonic() - self._built > BOARD_EVERY:
            try:
                self.build_board()
            except Exception as error:  # the trials matter more than a page of them
                self.say(f"the board could not be rebuilt: {error}")

    def say(self, event: str) -> None:
        self.progress.event = event
        self.listener(self.progress)

    def build_board(self, *, interrupted: bool = False) -> Path:
        p = self.progress
        ended = p.skipped + p.done + p.failed
        state = f"{ended} of {p.total} trials ended" if interrupted or p.left else None
        self._declare()
        path = build(
            self.folder.name, self.folder.parent, in_progress=state, interrupted=interrupted
        )
        self._built = time.monotonic()
        return path

    def _declare(self) -> None:
        files = {name: ROUTINGS.file_of(name) for name in ROUTINGS.foreign()}
        encoders = {f"encoder {e}": ENCODERS.file_of(e) for e in ENCODERS.foreign()}
        known = declared.read(self.folder).extended(
            self.proposer.declared,
            command=self.command,
            rank_by=self.progress.rank_by,
            sources=self.sources,
            files={name: file for name, file in files.items() if name in self.sources} | encoders,
        )
        declared.write(self.folder, known)

    def _lost(self, trial: Trial) -> dict[str, Any]:
        """The last row of a trial whose worker died: its own, or one written in its name."""
        attempt = self.attempt(trial)
        row = ledger.latest(self.folder / "ledger", trial.id, attempt)
        if row is not None and row["final"]:
            return row
        report = failure("crashed", row["step"] if row else 0, "its worker process died")
        desk = Desk(folder=self.folder, device=self.device, writer="driver")
        return desk.append(trial, report, attempt)

    def attempt(self, trial: Trial) -> int:
        return self.attempts.get(trial.id, 0) + 1


def _run(office: Office, workers: int) -> bool:
    """Run all trials; False if that was interrupted. Ray starts only if there is one."""
    if not office.peek():
        return True
    os.environ |= {key: os.environ.get(key, value) for key, value in _QUIET.items()}
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    storage = _short_folder()
    start = partial(
        ray.init,
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        num_gpus=workers if office.device == "cuda" else 0,
        log_to_driver=False,
        logging_level="CRITICAL",
        object_store_memory=100 * 2**20,
        _temp_dir=storage,
    )
    # In a thread, where Ray sets no handlers of Python's; its library sets one of SIGTERM's all
    # the same. Ray's processes die with the thread that started them.
    with _handlers_kept() as interruptible, ThreadPoolExecutor(1) as thread:
        starting = thread.submit(start)
        try:
            while not starting.done():
                interruptible()
                wait([starting], timeout=0.05)
            interruptible()
            starting.result()
            _tune(office, workers, storage)
        except KeyboardInterrupt:
            pass
        finally:
            wait([starting])  # what has half started cannot be cleared up
            ray.shutdown()
            shutil.rmtree(storage, ignore_errors=True)
    return office.exhausted and office.progress.running == 0


def _short_folder() -> str:
    """For Ray, whose sockets lie some 60 characters below; 107 is the system's limit."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="darbench-", dir=usual if len(usual) <= 24 else "/tmp")


@contextmanager
def _handlers_kept() -> Iterator[Callable[[], None]]:
    """Yields a function after whose call Ctrl-C, and a scheduler's SIGTERM, which Ray answers
    with a stack trace, raise KeyboardInterrupt once; the old handlers return at the end."""
    in_main = threading.current_thread() is threading.main_thread()  # others have no handlers
    known = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM) if in_main}
    # A shell starts its background jobs with SIGINT ignored; that stays so.
    known = {s: handler for s, handler in known.items() if handler != signal.SIG_IGN}

    def interrupt(number: int, frame: Any) -> None:
        for each in known:  # to repeat it would only disturb the clearing up
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    def interruptible() -> None:
        for each in known:
            signal.signal(each, interrupt)

    try:
        yield interruptible
    finally:
        for each, handler in known.items():
            signal.signal(each, handler)


def _tune(office: Office, workers: int, storage: str) -> None:
    from ray import tune
    from ray.tune.search import Searcher

    running: dict[str, Trial] = {}  # by Ray's trial id
    last: dict[str, dict[str, Any]] = {}  # row by trial id

    class Ask(Searcher):
        """Ray's view of the proposer."""

        def suggest(self, trial_id: str) -> dict | str | None:
            if not office.peek():
                return Searcher.FINISHED if office.exhausted else None
            running[trial_id] = trial = office.take()
            return {"trial": trial.to_dict(), "attempt": office.attempt(trial)}

        def on_trial_complete(self, trial_id: str, result=None, error: bool = False) -> None:
            trial = running.pop(trial_id)
            office.end(trial, last.pop(trial.id, None))

        def save(self, checkpoint_path: str) -> None:
            """The ledger is the state."""

        def restore(self, checkpoint_path: str) -> None:
            """The ledger is the state."""

    class Listen(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
            row = result["row"]
            last[row["trial_id"]] = row
            if not row["final"]:
                ran = running[trial.trial_id]
                office.say(f"step {row['step']}: {name(ran)}: val_loss {row['val_loss']:.4f}")

    gpu = 1 if office.device == "cuda" else 0
    work = tune.with_parameters(
        _work,
        folder=str(office.folder),
        device=office.device,
        path=sys.path,
        foreign=_by_value(ROUTINGS.foreign()),
        encoders=_by_value(ENCODERS.foreign()),
    )
    tuner = tune.Tuner(
        tune.with_resources(work, {"cpu": 1, "gpu": gpu}),
        tune_config=tune.TuneConfig(
            search_alg=Ask(),
            num_samples=-1,
            max_concurrent_trials=workers,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="sweep", storage_path=storage, verbose=0, callbacks=[Listen()]
        ),
    )
    tuner.fit()


def _by_value(made: Mapping[str, Callable]) -> dict[str, bytes]:
    """What a worker cannot import, by name, with the modules it is written in."""
    from ray import cloudpickle

    modules = {sys.modules[each.__module__] for each in made.values()}
    modules -= {sys.modules["__main__"]}  # is pickled by value anyway
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return {name: cloudpickle.dumps(each) for name, each in made.items()}
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _adopt(trial: Trial, foreign: Mapping[str, bytes], encoders: Mapping[str, bytes]) -> None:
    """Make the trial's own routing and encoder known here, if this process cannot import them."""
    for own, known, adopt in (
        (trial.variant.routing, foreign, ROUTINGS.adopt),
        (trial.training.repa.encoder, encoders, ENCODERS.adopt),
    ):
        if own in known:
            adopt({own: pickle.loads(known[own])})


def _work(
    config: dict,
    folder: str,
    device: str,
    foreign: Mapping[str, bytes],
    encoders: Mapping[str, bytes],
    path: list[str],
) -> None:
    """The trainable: runs in a worker, one trial after another in the same process."""
    from ray import tune

    sys.path.extend(entry for entry in path if entry not in sys.path)
    trial = Trial.from_dict(config["trial"])
    writer = f"{socket.gethostname()}-{os.getpid()}"
    desk = Desk(folder=Path(folder), device=device, writer=writer)
    news = ("trial_id", "step", "final", "status", "error", "attempt", "val_loss", "fd")
    attempt = config["attempt"]
    with ledger.working(desk.folder), plain_arithmetic(device), watchdog(trial, desk, attempt):
        for row in run_trial(trial, desk, attempt, partial(_adopt, trial, foreign, encoders)):
            tune.report({"row": {key: row[key] for key in {*news, trial.task.rank_by}}})
