"""The run of a single trial, in this process: `darbench train`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from darbench.arithmetic import plain_arithmetic
from darbench.registry import signatures
from darbench.search.feasible import require_feasible
from darbench.search.haste import hasty
from darbench.search.load import load_trial
from darbench.search.machine import device as resolve_device
from darbench.search.resolve import departure
from darbench.search.worker import RowWriter, run_trial, watchdog
from darbench.store import ledger

FOLDER = "train"  # its board is `darbench board --space train`


def train_one(
    routing: str,
    task: str,
    overrides: Iterable[str],
    *,
    seed: int = 0,
    out: str | Path = "leaderboards",
    device: str = "auto",
    show: Callable[[dict[str, Any]], None] = lambda row: None,
    say: Callable[[str], None] = lambda note: None,
) -> list[dict[str, Any]]:
    """Train one trial, write its rows to out/train, and return them.

    `show` is called with each row, and `say` with notes on repairs of the ledger, on data that
    differ from the published ones, and on a recipe that ends too soon. When run again, it goes on
    where it was cut off, or trains again: equal row hashes show that the trial reproduces.
    """
    trial = load_trial(routing, task, overrides, seed, signatures())
    require_feasible([(routing, trial)])
    device = resolve_device(device)
    folder = Path(out).resolve() / FOLDER
    with ledger.lock(folder, "darbench train"):
        notes = [*ledger.repair(folder / "ledger"), departure(trial.task), *hasty(trial.training)]
        for note in filter(None, notes):
            say(note)
        attempts = ledger.attempts(ledger.read_ledger(folder / "ledger"))
        writer = RowWriter(folder=folder, device=device)
        rows = []
        attempt = attempts.get(trial.id, 0) + 1
        with plain_arithmetic(device), watchdog(trial, writer, attempt):
            for row in run_trial(trial, writer, attempt, say=say):
                show(row)
                rows.append(row)
    return rows
