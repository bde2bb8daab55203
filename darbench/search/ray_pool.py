"""The pool that runs a sweep's trials: worker processes of Ray, to which Ray Tune gives work.

This is the only file that imports Ray, and it is imported when there is a trial to run. Workers
write the ledger themselves and send the driver a few columns of each row, so a driver that dies
loses no checkpoint.
"""

import logging
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darbench.arithmetic import plain_arithmetic
from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.records.metric import COMPARED
from darbench.records.trial import Trial
from darbench.registry import ENCODERS, ROUTINGS
from darbench.registry.bundle import BUNDLES, bundle_of
from darbench.registry.by_value import by_value
from darbench.search.heap import trim
from darbench.search.objectives import COSTS
from darbench.search.scratch import scratch
from darbench.search.worker import RowWriter, run_trial, watchdog
from darbench.store import ledger
from darbench.store.verdicts import why_pruned
from darbench.testing.travel import Parcel

if TYPE_CHECKING:  # a worker needs none of what makes a board
    from darbench.search.driver import Driver

GCS_S = 10  # after which Ray ends a process whose GCS is gone: nothing else can
# These are set before Ray is imported: it prints nothing, and has no memory monitor, for when that
# kills one worker, Tuner.fit raises and ends the whole sweep (seen with Ray 2.60). Every trial
# runs in a thread of its own, to which malloc would give an arena of its own: with one for all,
# what a trial has freed serves the next.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it waits until every worker reaches a checkpoint
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": str(GCS_S),
    "MALLOC_ARENA_MAX": "1",
}
os.environ |= {key: os.environ.get(key, value) for key, value in ENVIRONMENT.items()}

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.air._internal import usage  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

STARTS = 3  # of a Ray whose processes die, without a trial that ends
SENT = (  # columns
    *("trial_id", "step", "final", "status", "error", "attempt", "row_hash"),
    *("budget_flops", *COSTS, *COMPARED),
)


class PartDied(Exception):
    """A process of Ray itself has died, without which no trial can run."""


def run(driver: "Driver", workers: int, interruptible: Callable[[], None]) -> None:
    """Run the driver's trials, as many at a time as there are workers, until it has no more.

    `interruptible` is called whenever Ray may have set signal handlers of its own. However the run
    ends, Ray's processes and files are gone when this returns. Where a process of Ray itself died
    Ray is started anew, STARTS times if no trial ends between.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    vain, ended = 0, 0
    while vain < STARTS:
        searcher = DriverSearcher(driver)
        try:
            return _run(searcher, workers, interruptible)
        except PartDied as died:
            vain = 1 if driver.progress.ended_now > ended else vain + 1
            ended = driver.progress.ended_now
            driver.say(f"{died} of Ray died: Ray is started anew")
            for trial in searcher.running.values():
                driver.put_back(trial, "cut off")
    driver.say(f"Ray died {vain} times and no trial ended: the sweep stops")


def _run(searcher: "DriverSearcher", workers: int, interruptible: Callable[[], None]) -> None:
    """Run trials on a Ray of its own; PartDied if a process of that dies."""
    driver = searcher.driver
    # In a thread Ray sets no handlers of Python's, though its library still sets one for SIGTERM.
    # Ray's processes die with the thread that started them.
    with scratch() as storage, ThreadPoolExecutor(1) as thread:
        gpus = workers if driver.device == "cuda" else 0
        starting = thread.submit(_start, workers, gpus, storage)
        try:
            sent = Sent.of(driver.sources, Path(storage, "files"))
            while not starting.done():
                interruptible()
                wait([starting], timeout=0.05)
            interruptible()
            starting.result()
            with _watching(driver):
                _tuner(searcher, sent, workers, storage).fit()
        finally:
            wait([starting])  # a half-started Ray cannot be shut down
            ray.shutdown()


def _start(cpus: int, gpus: int, storage: str) -> None:
    """Start Ray on this machine alone."""
    # When its raylet dies it prints twenty lines of that's log; the driver says it in one.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    # Tune counts which trackers its user has, for which it imports all that are installed.
    usage.tag_callbacks = lambda callbacks: False
    ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=gpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="CRITICAL",
        object_store_memory=100 * 2**20,
        _temp_dir=storage,
    )


class DriverSearcher(Searcher):
    """A searcher of Ray Tune that takes trials from the driver and returns their last rows."""

    def __init__(self, driver: "Driver"):
        super().__init__()
        self.driver = driver
        self.broken: BadInput | None = None  # why no trial can run any more
        self.running: dict[str, Trial] = {}  # by Ray's trial id
        self.last: dict[str, dict[str, Any]] = {}  # columns of its last row, by Ray's trial id

    def suggest(self, trial_id: str) -> dict | str | None:
        if not self.driver.peek():  # one that runs, here or elsewhere, may have to again
            return Searcher.FINISHED if self.driver.finished else None
        self.running[trial_id] = trial = self.driver.take()
        pruned = self.driver.pruned(trial)
        return {"trial": trial, "attempt": self.driver.attempt(trial), "pruned": pruned}

    def on_trial_complete(self, trial_id: str, result=None, error: bool = False) -> None:
        if error and _dead_part():  # no fault of the trial
            return
        try:
            self.driver.end(self.running.pop(trial_id), self.last.pop(trial_id, None))
        except BadInput as broken:  # which Tune would wrap in a trace of its own
            self.broken = broken

    def __getstate__(self) -> dict:
        """Nothing, for Tune's copy to restore from: what shows progress cannot be copied."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing, for the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Save nothing, for the ledger is the state."""


class RowCallback(tune.Callback):
    """A callback of Ray Tune that passes rows of the workers to the searcher and its driver."""

    def __init__(self, searcher: DriverSearcher):
        self.searcher = searcher

    def on_step_begin(self, iteration, trials, **info) -> None:
        if self.searcher.broken:
            raise self.searcher.broken
        if part := _dead_part():
            raise PartDied(part)

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
        row = self.searcher.last[trial.trial_id] = result["row"]
        running, driver = self.searcher.running[trial.trial_id], self.searcher.driver
        for note in result["said"]:
            driver.told(running, note)
        if not row["final"]:
            try:
                driver.reached(running, row)
            except BadInput as broken:  # which Tune would wrap in a trace of its own
                self.searcher.broken = broken


@contextmanager
def _watching(driver: "Driver") -> Iterator[None]:
    """Say why the command is about to end where Ray's GCS died, for which Ray itself ends it."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            if _dead_part() == "gcs_server":
                return driver.say(
                    f"gcs_server of Ray died, which ends this command in {GCS_S} s; run it again, "
                    "and it goes on: what is in the ledger is safe"
                )

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _dead_part() -> str:
    """The name of a process of Ray that has died; empty if all live."""
    node = ray._private.worker._global_node
    return next((name for name, _ in node.dead_processes()), "") if node else ""


def _tuner(searcher: DriverSearcher, sent: "Sent", workers: int, storage: str) -> tune.Tuner:
    driver = searcher.driver
    trainable = tune.with_parameters(
        work,
        setup=WorkerSetup(
            folder=driver.folder, device=driver.device, path=tuple(sys.path), sent=sent
        ),
    )
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1, "gpu": 1 if driver.device == "cuda" else 0}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            max_concurrent_trials=workers,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="sweep", storage_path=storage, verbose=0, callbacks=[RowCallback(searcher)]
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a user has registered, and no worker can import."""

    parcels: tuple[Parcel, ...]  # in the order in which the files were loaded
    routings: Mapping[str, bytes]  # pickled: those of a script or notebook
    encoders: Mapping[str, bytes]

    @classmethod
    def of(cls, routings: Collection[str], folder: Path) -> "Sent":
        """Pack users' files, below a folder, and those of these routings that are in none."""
        encoders, foreign = ENCODERS.foreign(), ROUTINGS.foreign()
        own = {name: made for name, made in foreign.items() if name in routings}
        bundles = {*map(bundle_of, (*encoders.values(), *foreign.values()))}
        loaded = [bundle for bundle in BUNDLES.values() if bundle in bundles]
        return cls(
            parcels=tuple(Parcel.of(bundle, folder) for bundle in loaded),
            routings=by_value(_in_no_file(own)),
            encoders=by_value(_in_no_file(encoders)),
        )

    def register(self, trial: Trial) -> None:
        """Register users' files, and the trial's routing and encoder, in this process.

        BadInput if the routing is no longer the one that the trial is of.
        """
        for parcel in self.parcels:
            parcel.load()
        for registry, name, pickled in (
            (ROUTINGS, trial.variant.routing, self.routings),
            (ENCODERS, trial.training.repa.encoder, self.encoders),
        ):
            if name in pickled:
                registry.adopt({name: pickle.loads(pickled[name])})
        routing = trial.variant.routing
        if routing not in self.routings and ROUTINGS.source_hash(routing) != trial.code_hash:
            raise BadInput(f"the source of {routing} has changed since the sweep was started")


def _in_no_file(made: Mapping[str, Callable]) -> dict[str, Callable]:
    return {name: each for name, each in made.items() if bundle_of(each) is None}


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """What a worker process needs for any trial of a sweep."""

    folder: Path
    device: str
    path: tuple[str, ...]  # the driver's sys.path
    sent: Sent


def work(config: dict[str, Any], setup: WorkerSetup) -> None:
    """The trainable of Ray Tune: run one trial in a worker, which may run others after it."""
    sys.path.extend(entry for entry in setup.path if entry not in sys.path)
    trial, attempt = config["trial"], config["attempt"]
    writer = RowWriter(
        folder=setup.folder,
        device=setup.device,
        name=f"{content_hash(socket.gethostname())[:8]}-{os.getpid()}",
    )
    sent = {*SENT, trial.task.rank_by}

    def pruned(row: Mapping[str, Any] | None) -> str:
        """What the driver said of a row: a report returns once it has heard it."""
        return config["pruned"] if row is None else why_pruned(setup.folder, row["row_hash"])

    with (
        ledger.working(setup.folder),
        writer.log(trial).printed(),
        plain_arithmetic(setup.device),
        watchdog(trial, writer, attempt),
    ):
        said: list[str] = []
        prepare = partial(setup.sent.register, trial)
        for row in run_trial(trial, writer, attempt, prepare, said.append, pruned):
            tune.report({"row": {key: row[key] for key in sent}, "said": [*said]})
            said.clear()
    trim()
