"""How the trials of a leaderboard stand, told by nothing but its folder."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from darbench.store import declared, ledger
from darbench.store.at_work import at_work
from darbench.store.held import Says

ENOUGH = 3  # trials that must have ended before anybody says how long the others take
SHOWN = 3  # of the last failures

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A leaderboard at one moment; `driver` is what the command that writes to it says."""

    folder: Path
    driver: Says | None
    workers: list[Says]
    states: dict[str, int]  # trials by state
    an_hour: float | None  # trials that ended, an hour, since the command began
    seconds_left: float | None
    failures: list[Row]  # the last rows of those that failed, newest first
    last: str  # when the newest row was written


def standing(folder: Path, now: datetime | None = None) -> Standing:
    """Read how a leaderboard stands; BadInput for a ledger that cannot be read."""
    rows = ledger.read_ledger(folder / "ledger")
    driver, workers = ledger.driver(folder), at_work(folder)
    ends = _ends(rows)
    states = _states(rows, ends, workers, _declared(folder))
    if driver is not None and "left" in driver:  # an adaptive search declares as it goes
        states["left"] = max(0, driver["left"] - len(workers))
    rate, left = _pace(driver, ends.values(), now or datetime.now(UTC))
    running = {each.get("trial") for each in workers}
    failed = [
        row
        for row in ends.values()
        if row["status"] not in ledger.FINISHED and row["trial_id"] not in running
    ]
    return Standing(
        folder=folder,
        driver=driver,
        workers=workers,
        states={name: count for name, count in states.items() if count},
        an_hour=rate,
        seconds_left=left,
        failures=sorted(failed, key=_written, reverse=True)[:SHOWN],
        last=max(map(_written, rows), default=""),
    )


def _ends(rows: Iterable[Row]) -> dict[tuple, Row]:
    """Return the newest last row of each trial; one that finished is newer than any other."""
    found: dict[tuple, Row] = {}
    for row in rows:
        before = found.get(key := ledger.row_key(row))
        if row["final"] and (before is None or _rank(row) >= _rank(before)):
            found[key] = row
    return found


def _rank(row: Row) -> tuple[bool, int, str]:
    return row["status"] in ledger.FINISHED, row["attempt"], _written(row)


def _states(
    rows: Iterable[Row], ends: Mapping[tuple, Row], workers: list[Says], wanted: set[tuple]
) -> dict[str, int]:
    """Count trials by state: how they ended, running, cut off, or left to run."""
    running = {each.get("trial") for each in workers}
    begun = {key: row for row in rows if (key := ledger.row_key(row)) not in ends}
    cut_off = {key[0] for key in begun} - running
    known = {(row["config_hash"], row["pair_id"]) for row in (*ends.values(), *begun.values())}
    counted = Counter(row["status"] for row in ends.values() if row["trial_id"] not in running)
    left = {"running": len(workers), "cut off": len(cut_off), "left": len(wanted - known)}
    return dict(sorted(counted.items(), key=lambda item: item[0] != "ok")) | left


def _declared(folder: Path) -> set[tuple]:
    """Return the configurations and seeds that sweeps have declared."""
    return {(key, seed) for key, seeds in declared.read(folder).seeds.items() for seed in seeds}


def _pace(
    driver: Says | None, ends: Iterable[Row], now: datetime
) -> tuple[float | None, float | None]:
    """Return how many trials end an hour, and the seconds until all have, since a command began.

    None where no command runs, or too few have ended.
    """
    if driver is None or "left" not in driver:
        return None, None
    since = datetime.fromisoformat(driver["since"])
    ended = sum(datetime.fromisoformat(_written(row)) >= since for row in ends)
    hours = (now - since).total_seconds() / 3600
    if ended < ENOUGH or hours <= 0:
        return None, None
    return ended / hours, 3600 * driver["left"] * hours / ended


def _written(row: Row) -> str:
    return row["created_utc"]
