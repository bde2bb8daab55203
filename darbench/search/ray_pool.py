"""Where the trials of a sweep run: worker processes of Ray, which Ray Tune keeps busy.

The only file that imports Ray, and nothing imports it before there is a trial to run. Workers
write the ledger themselves; what travels back through Ray is only news, so a driver that dies
loses no checkpoint.
"""

import logging
import os
import pickle
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from darbench.arithmetic import plain_arithmetic
from darbench.records.metric import COMPARED
from darbench.records.trial import Trial
from darbench.registry import ENCODERS, ROUTINGS
from darbench.search.driver import Driver
from darbench.search.worker import RowWriter, run_trial, watchdog
from darbench.store import ledger

# Before Ray is imported: no output but ours; and no memory monitor, whose kill of one worker
# makes Tuner.fit raise and the whole sweep with it (seen with Ray 2.60).
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it waits until every worker reaches a checkpoint
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
os.environ |= {key: os.environ.get(key, value) for key, value in QUIET.items()}

import ray  # noqa: E402
from ray import cloudpickle, tune  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

NEWS = ("trial_id", "step", "final", "status", "error", "attempt", *COMPARED)


def run(driver: Driver, workers: int, interruptible: Callable[[], None]) -> None:
    """Run the driver's trials, so many at a time, until it has no more.

    `interruptible` is called whenever Ray may have set signal handlers of its own. Whatever ends
    the run, Ray's processes and files are gone when this returns.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    storage = _short_folder()
    start = partial(_start, workers, workers if driver.device == "cuda" else 0, storage)
    # In a thread, where Ray sets no handlers of Python's; its library sets one of SIGTERM's all
    # the same. Ray's processes die with the thread that started them.
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(start)
        try:
            while not starting.done():
                interruptible()
                wait([starting], timeout=0.05)
            interruptible()
            starting.result()
            _tuner(driver, workers, storage).fit()
        finally:
            wait([starting])  # what has half started cannot be cleared up
            ray.shutdown()
            shutil.rmtree(storage, ignore_errors=True)


def _short_folder() -> str:
    """A new folder for Ray, whose sockets lie some 60 characters below; 107 is the system's
    limit."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="darbench-", dir=usual if len(usual) <= 24 else "/tmp")


def _start(cpus: int, gpus: int, storage: str) -> None:
    """Start Ray on this machine alone."""
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


class Ask(Searcher):
    """The driver as Ray Tune sees it: a searcher, which names trials and hears how they ended."""

    def __init__(self, driver: Driver):
        super().__init__()
        self.driver = driver
        self.running: dict[str, Trial] = {}  # by Ray's trial id
        self.last: dict[str, dict[str, Any]] = {}  # news of its last row, by Ray's trial id

    def suggest(self, trial_id: str) -> dict | str | None:
        if not self.driver.peek():
            return Searcher.FINISHED if self.driver.exhausted else None
        self.running[trial_id] = trial = self.driver.take()
        return {"trial": trial, "attempt": self.driver.attempt(trial)}

    def on_trial_complete(self, trial_id: str, result=None, error: bool = False) -> None:
        self.driver.end(self.running.pop(trial_id), self.last.pop(trial_id, None))

    def save(self, checkpoint_path: str) -> None:
        """The ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """The ledger is the state."""


class Listen(tune.Callback):
    """Hands the news of the workers to the searcher and its driver."""

    def __init__(self, ask: Ask):
        self.ask = ask

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:
        row = self.ask.last[trial.trial_id] = result["row"]
        if not row["final"]:
            self.ask.driver.reached(self.ask.running[trial.trial_id], row)


def _tuner(driver: Driver, workers: int, storage: str) -> tune.Tuner:
    trainable = tune.with_parameters(
        work,
        place=Place(
            folder=driver.folder,
            device=driver.device,
            path=tuple(sys.path),
            routings=_by_value(ROUTINGS.foreign()),
            encoders=_by_value(ENCODERS.foreign()),
        ),
    )
    ask = Ask(driver)
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1, "gpu": 1 if driver.device == "cuda" else 0}),
        tune_config=tune.TuneConfig(
            search_alg=ask,
            num_samples=-1,
            max_concurrent_trials=workers,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="sweep", storage_path=storage, verbose=0, callbacks=[Listen(ask)]
        ),
    )


def _by_value(made: Mapping[str, Callable]) -> dict[str, bytes]:
    """What a worker cannot import, by name, with the modules it is written in."""
    modules = {sys.modules[each.__module__] for each in made.values()}
    modules -= {sys.modules["__main__"]}  # is pickled by value anyway
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return {name: cloudpickle.dumps(each) for name, each in made.items()}
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What every trial of a sweep needs where it runs."""

    folder: Path
    device: str
    path: tuple[str, ...]  # where modules are found
    routings: Mapping[str, bytes]  # pickled, of those that no worker can import
    encoders: Mapping[str, bytes]

    def adopt(self, trial: Trial) -> None:
        """Make the trial's own routing and encoder known in this process."""
        for registry, name, pickled in (
            (ROUTINGS, trial.variant.routing, self.routings),
            (ENCODERS, trial.training.repa.encoder, self.encoders),
        ):
            if name in pickled:
                registry.adopt({name: pickle.loads(pickled[name])})


def work(config: dict[str, Any], place: Place) -> None:
    """The trainable: runs in a worker, one trial after another in the same process."""
    sys.path.extend(entry for entry in place.path if entry not in sys.path)
    trial, attempt = config["trial"], config["attempt"]
    writer = RowWriter(
        folder=place.folder, device=place.device, name=f"{socket.gethostname()}-{os.getpid()}"
    )
    news = {*NEWS, trial.task.rank_by}
    with (
        ledger.working(place.folder),
        plain_arithmetic(place.device),
        watchdog(trial, writer, attempt),
    ):
        for row in run_trial(trial, writer, attempt, prepare=partial(place.adopt, trial)):
            tune.report({"row": {key: row[key] for key in news}})
