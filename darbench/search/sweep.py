"""Sweeps: a proposer names trials, workers run them, the ledger keeps and the board shows results.

The same command goes on where a sweep was interrupted or killed.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darbench.command_line import published
from darbench.ops.ahead import compiling
from darbench.registry import ENCODERS, ROUTINGS
from darbench.search import machine
from darbench.search.feasible import checked_space
from darbench.search.haste import hasty
from darbench.search.hours import expected
from darbench.search.interruption import handlers_kept
from darbench.search.notify import notifying
from darbench.search.progress import Listener, Progress
from darbench.search.propose import proposer
from darbench.search.proposer import Exhausted
from darbench.search.resolve import departure
from darbench.search.space import SearchSpace
from darbench.search.trackers.tracking import tracking
from darbench.search.warm_start import lessons
from darbench.store import declared, ledger, verdicts
from darbench.store.held import Held
from darbench.store.leftovers import forget
from darbench.store.verdicts import Verdicts

if TYPE_CHECKING:
    from darbench.search.driver import Driver


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """The result of a sweep; `left` trials remain if it was interrupted."""

    name: str
    total: int
    skipped: int
    done: int
    failed: int
    interrupted: bool
    folder: Path
    board: Path
    seconds: float
    pruned: int = 0  # configurations of a search that were stopped
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        return self.total - self.skipped - self.done - self.failed - self.pruned

    @property
    def results(self) -> Path:
        return self.folder / "results.parquet"

    def summary(self) -> dict[str, Any]:
        """Return the result as plain values, for a program to read."""
        paths = {"board": str(self.board), "results": str(self.results)}
        return {**asdict(self), **paths, "folder": str(self.folder), "left": self.left}


# A function such as `sweep` with all arguments given but the space and its overrides.
RunSweep = Callable[[str, Iterable[str]], SweepResult]


def preview(
    space: str,
    overrides: Iterable[str] = (),
    *,
    out: str | Path = "leaderboards",
    workers: int | None = None,
    quick: bool = False,
    own: Iterable[str] = (),
) -> dict[str, Any]:
    """Return what `sweep` would run, as plain values; nothing is written.

    workers: trials at a time, by which the hours are told; by default one a core.
    """
    made = checked_space(space, overrides, quick=quick, own=own)
    folder = Path(out).resolve() / made.name
    rows = ledger.read_ledger(folder / "ledger")
    before = Verdicts(verdicts.read(folder))
    others = lessons(made, folder)
    proposing = proposer(made, rows, declared.read(folder).seeds, before, others)
    with suppress(Exhausted):
        proposing.next()  # a study counts finished trials only as it goes
    grid, first = made.sampler == "grid", made.on(made.grounds[0])
    labels = [c.variant.label for c in first.grid()] if grid else [e.name for e in made.entries]
    return {
        "name": made.name,
        "sampler": made.sampler,
        "prune": made.prune.pruner,
        "seeds": list(made.seeds),
        "grounds": [
            dict(ground.point) | {"steps": ground.training.steps} for ground in made.grounds
        ],
        "configurations": labels,
        "tuned": _tuned(made),
        "matches": _matches(made),
        "coarse": _coarse(made),
        "total": proposing.total,
        "finished": proposing.skipped,
        "hours": _hours(made, proposing.total, workers or machine.cores()),
    }


@compiling()
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
) -> SweepResult:
    """Run every trial of the space that is not in its ledger, and build the board.

    space and overrides: as for `darbench sweep --space`. workers: trials at a time, by default
    one a core, or one a GPU. device: auto, cpu or cuda. own: registered routings that join the
    space's variants with their defaults. command: shown on the board, by default the one that does
    the same. listener is called after every event. Raises BadInput before anything starts if
    something is wrong.
    """
    from darbench.search.driver import Driver

    started = time.monotonic()
    overrides = [*overrides]
    composed = checked_space(space, overrides, quick=quick, own=own)
    command = command or _command(space, overrides, quick, composed)
    device = machine.device(device)
    folder = Path(out).resolve() / composed.name
    workers, note = machine.workers(workers, device)
    with (
        ledger.lock(folder, command) as held,
        notifying(composed.notify, folder, _heard(listener, held)) as hear,
    ):
        notes = ledger.repair(folder / "ledger")
        forget(folder)
        driver = Driver.of(composed, folder, device=device, command=command, listener=hear)
        outdated = ledger.outdated(ledger.read_ledger(folder / "ledger"))
        notes += filter(None, [outdated, note, *_departures(composed), _without_add(composed)])
        notes += _matches(composed)
        notes += dict.fromkeys(line for g in composed.grounds for line in hasty(g.training))
        for note in notes:
            driver.say(note)
        with tracking(composed.trackers, folder, driver.say), driver.claims.beating():
            _run(driver, workers)
        board = driver.build_board(interrupted=not driver.finished)
    return SweepResult(
        name=composed.name,
        total=driver.proposer.total,
        skipped=driver.proposer.skipped,
        done=driver.progress.done,
        failed=driver.progress.failed,
        pruned=driver.progress.pruned,
        interrupted=not driver.finished,
        folder=folder,
        board=board,
        seconds=time.monotonic() - started,
        notes=tuple(notes),
    )


def _heard(listener: Listener, held: Held) -> Listener:
    """A listener that also says in the lock how the sweep stands, for `darbench status`."""

    def hear(progress: Progress) -> None:
        counts = ("total", "skipped", "done", "failed", "pruned", "running", "left")
        with suppress(OSError):
            held.say(**{name: getattr(progress, name) for name in counts})
        listener(progress)

    return hear


def _command(space: str, overrides: Iterable[str], quick: bool, made: SearchSpace) -> str:
    """The command line that does what a call of `sweep` does; empty for one from a notebook."""
    routings = {entry.signature.name for entry in made.entries} & ROUTINGS.foreign().keys()
    encoders = {g.training.repa.encoder for g in made.grounds} & ENCODERS.foreign().keys()
    used = [*map(ROUTINGS.file_of, sorted(routings)), *map(ENCODERS.file_of, encoders)]
    if not all(Path(file).is_file() for file in used):
        return ""
    loads = [word for file in dict.fromkeys(used) for word in ("--load", file)]
    flags = [*loads, *(["--quick"] if quick else [])]
    return published(["darbench", "sweep", "--space", space, *flags, *map(str, overrides)])


def _tuned(space: SearchSpace) -> dict[str, Any] | None:
    """What the tuned track tries, and on how many trials of all grounds; None without it."""
    if not space.tune:
        return None
    searched = {
        c.trial(seed, "search").id
        for own in space.tuned()
        for c in own
        for seed in space.tune.seeds
    }
    return {
        "over": list(space.tune.names),
        "seeds": list(space.tune.seeds),
        "trials": len(searched),
    }


def _coarse(space: SearchSpace) -> dict[str, Any] | None:
    """The seeds of the coarse look, and its trials on all grounds; None without one."""
    if not space.coarse_seeds:
        return None
    looked = {c.trial(seed, "search").id for c in space.grid() for seed in space.coarse_seeds}
    return {"seeds": list(space.coarse_seeds), "trials": len(looked)}


def _hours(space: SearchSpace, total: int, workers: int) -> dict[str, Any] | None:
    """The least and the most hours of all trials, by the cards; None where a task has no time.

    They differ by the grounds that a coarse look may choose.
    """
    found = expected(space.grounds)
    if found is None:
        return None
    coarse = _coarse(space)
    least = coarse["trials"] if coarse else total
    return {
        "least": found.trial * least / workers,
        "most": found.trial * total / workers,
        "workers": workers,
        "hardware": list(found.hardware),
    }


def _matches(space: SearchSpace) -> list[str]:
    """How near every widened `add` comes to the cost that it is matched to."""
    made = space.grid() if space.sampler == "grid" else space.samples()
    return [f"{each.name}: {each.control}" for each in made if each.control]


def _departures(space: SearchSpace) -> list[str]:
    return [departure(task) for task in {g.task.name: g.task for g in space.grounds}.values()]


def _without_add(space: SearchSpace) -> str:
    if any(entry.signature.name == "add" for entry in space.entries):
        return ""
    return "the space has no `add`: without it there is nothing to compare with"


def _run(driver: "Driver", workers: int) -> None:
    """Run the driver's trials until all have ended, or Ctrl-C.

    Ray is loaded only if there is a trial to run.
    """
    if not driver.peek() and driver.finished:
        return
    with handlers_kept() as interruptible, suppress(KeyboardInterrupt):
        interruptible()
        from darbench.search import ray_pool

        ray_pool.run(driver, workers, interruptible)
