"""One trial on its own, in this process: `darbench train`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from darbench.arithmetic import plain_arithmetic
from darbench.registry import signatures
from darbench.search.feasible import require_feasible
from darbench.search.load import load_trial
from darbench.search.machine import device as resolve_device
from darbench.search.resolve import departure
from darbench.search.worker import RowWriter, run_trial, watchdog
from darbench.store import ledger

NAME = "train"  # of the folder; its board is `darbench board --space train`


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
    """The rows of the trial, written to out/train as they come; `show` is called with each, and
    `say` with what was repaired, and what the task's data are not.

    Run again, the trial is trained again: equal row hashes show that it reproduces.
    """
    trial = load_trial(routing, task, overrides, seed, signatures())
    require_feasible([(routing, trial)])
    device = resolve_device(device)
    folder = Path(out).resolve() / NAME
    with ledger.lock(folder):
        for note in filter(None, [*ledger.repair(folder / "ledger"), departure(trial.task)]):
            say(note)
        attempts = ledger.attempts(ledger.read_ledger(folder / "ledger"))
        writer = RowWriter(folder=folder, device=device)
        rows = []
        attempt = attempts.get(trial.id, 0) + 1
        with plain_arithmetic(device), watchdog(trial, writer, attempt):
            for row in run_trial(trial, writer, attempt):
                show(row)
                rows.append(row)
    return rows
