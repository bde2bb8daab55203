"""The texts of verbs that look after leaderboards: `status`, `clean`, `merge` and `export`."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from darbench.command_line import command_line
from darbench.store.held import clock

SHOWN = 10  # conflicts of a merge
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def status_text(found: Mapping[str, Any]) -> str:
    return "\n".join([str(found["folder"]), *map("  {}".format, _lines(found))])


def cleaned_text(cleaned: Mapping[str, Any]) -> str:
    freed = cleaned["freed"]
    said = "would free" if cleaned["dry_run"] else "freed"
    parts = [f"{said} {size(count)} of {kind}" for kind, count in freed.items() if count]
    return "\n".join(parts or ["nothing to remove"])


def merged_text(made: Mapping[str, Any], to: str, out: Path) -> str:
    found, new = made["conflicts"], f"{made['new']} of them and {made['files']} files new"
    lines = [f"{made['folder']}: {made['rows']} rows, {new}"]
    if found:
        lines.append(f"{len(found)} steps with different numbers; the last attempt's stand:")
    for each in found[:SHOWN]:
        where = f"{each['trial']}, {each['label']}, seed {each['seed']}, step {each['step']}"
        lines.append(f"  {where}: {', '.join(each['row_hashes'])}")
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more, which --json lists")
    board = command_line(["darbench", "board", "--space", to], out)
    return "\n".join([*made["notes"], *lines, f"next: {board}"])


def exported_text(made: Mapping[str, Any]) -> str:
    pictures = f" with {made['samples']} pictures of samples" if made["samples"] else ""
    said = f"{made['file']}: {size(made['bytes'])}{pictures}"
    return (
        f"{said}\nnext, where it is to be read: {shlex.join(['darbench', 'import', made['file']])}"
    )


def size(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def span(seconds: float) -> str:
    """Return a time for people, to two digits: 45 s, 12 min, 3 h 20 min, 2 d 5 h."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{round(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield _driver(found)
    counts = ", ".join(f"{count} {state}" for state, count in found["states"].items())
    yield f"trials: {counts or 'none yet'}{_pace(found)}"
    for worker in found["workers"]:
        yield _worker(worker)
    for failure in found["failures"]:
        yield (
            f"{failure['status']}: {failure['label']}, seed {failure['pair_id']}, "
            f"{clock(failure['when'])}: {failure['error']}; darbench logs {failure['trial_id']}"
        )
        yield from (f"  | {line}" for line in failure["log"])
    parts = [f"{size(count)} {part}" for part, count in found["disk"].items() if count]
    yield f"disk: {', '.join(parts)}; cache {size(found['cache']['bytes'])}"


def _driver(found: Mapping[str, Any]) -> str:
    driver = found["driver"]
    if driver is None:
        last = f"; last row {clock(found['last'])}" if found["last"] else ""
        return f"nothing runs here now{last}"
    who = f"process {driver.get('process')} on {driver.get('machine')}"
    what = f": {driver['command']}" if driver.get("command") else ""
    return f"{who} since {clock(driver.get('since', ''))}{what}"


def _pace(found: Mapping[str, Any]) -> str:
    if found["seconds_left"] is None:
        return ""
    return f"; {found['an_hour']:.3g} an hour, about {span(found['seconds_left'])} left"


def _worker(worker: Mapping[str, Any]) -> str:
    steps = f"step {worker['done']} of {worker['steps']}" if "steps" in worker else "begins"
    return (
        f"running: {worker.get('label')}, seed {worker.get('seed')}: {steps}, "
        f"for {span(_ago(worker['since']))}; darbench logs -f {worker.get('trial')}"
    )


def _ago(when: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()
