"""Sweeps that are killed at seeded random points, and the same command again.

`python -m tests.search.crash` prints the whole matrix: point, what was killed, outcome.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import darbench
from darbench.search.sweep import preview
from darbench.store import ledger
from tests.make.spaces import TINY, write

SEED = 20
LONG = ("training.steps=60", "training.checkpoints=[0.1,0.5,1.0]", "training.save_every_s=0.05")
DRAWN = """
trials: 3
seeds: [1000]
confirm: {top: 1, seeds: [7]}
variants:
  - {routing: add}
  - {routing: dar, params: {query: [static, dynamic], lr_mult: {low: 1, high: 9, log: true}}}
"""
SPACES = {
    "grid": "seeds: [0, 1]\nvariants: [{routing: add}, {routing: denseformer}]\n",
    "random": "sampler: random" + DRAWN,
    "tpe": "sampler: tpe" + DRAWN,
}
ENDS_S = 240  # in which a sweep that lost a part of Ray must have ended
TRIES = 3  # of the same command


@dataclass(frozen=True)
class Point:
    """When what is killed: after `rows` rows and `delay` seconds, or `rows` times at a place."""

    victim: str  # driver, worker, raylet, gcs_server; or ledger, state, evaluation
    sampler: str
    rows: int
    delay: float

    def __str__(self) -> str:
        return f"{self.victim}-{self.sampler}-{self.rows}"

    @property
    def environment(self) -> dict[str, str]:
        if self.victim not in PLACES:
            return {}
        return {"DIE_AT": self.victim, "DIE_AFTER": str(self.rows)}

    def __post_init__(self):
        assert self.victim in (*PLACES, *PARTS)


PLACES = ("ledger", "state", "evaluation")
PARTS = ("driver", "worker", "raylet", "gcs_server")
OFTEN = {"driver": 4, "worker": 4, "raylet": 3, "gcs_server": 2}  # 4 of each place


def points(seed: int = SEED) -> list[Point]:
    """The 25 points of the matrix."""
    drawn, samplers = random.Random(seed), [*SPACES]
    victims = [v for v in (*PARTS, *PLACES) for _ in range(OFTEN.get(v, 4))]
    return [
        Point(victim, samplers[i % 3], drawn.randrange(3), drawn.uniform(0, 0.7))
        for i, victim in enumerate(victims)
    ]


@dataclass
class Started:
    """A sweep in a session of its own, and every process that was seen to descend from it."""

    process: subprocess.Popen
    workers: Path  # where they say that they work
    seen: dict[int, str] = field(default_factory=dict)  # start by process id

    @classmethod
    def of(cls, space: str, out: Path, scratch: Path, environment: dict[str, str]) -> "Started":
        dying = str(Path(__file__).parent / "dying")
        path = os.pathsep.join(filter(None, [dying, os.environ.get("PYTHONPATH")]))
        given = {"TMPDIR": str(scratch), "DIE_ONCE": str(scratch / "died"), "PYTHONPATH": path}
        command = [sys.executable, "-m", "darbench", "sweep", "--space", space, "--out", str(out)]
        with (out.parent / "said").open("a") as said:
            process = subprocess.Popen(
                [*command, "--workers", "2", *LONG],
                stdout=said,
                stderr=said,
                env=os.environ | given | environment,
                start_new_session=True,
            )
        return cls(process, out / "mine" / "workers")

    def find(self) -> dict[int, str]:
        """Note the processes below the driver, and return their names."""
        stats = dict(_stats())
        mine = {self.process.pid, *(p for p, s in self.seen.items() if _start(stats.get(p)) == s)}
        while more := {p for p, stat in stats.items() if int(stat[1]) in mine} - mine:
            mine |= more
        self.seen |= {p: _start(stats[p]) for p in mine if p in stats}
        return {p: _name(p) for p in mine if p != self.process.pid}

    def kill(self, victim: str) -> bool:
        """Kill a part; False if there is none."""
        below = self.find()
        working = [int(path.stem.rpartition("-")[2]) for path in self.workers.glob("*.json")]
        found = {
            "driver": [self.process.pid],
            "worker": [process for process in working if process in below],
        }.get(victim, [process for process, name in below.items() if name == victim])
        for process in found[:1]:
            os.kill(process, signal.SIGKILL)
        return bool(found)

    def wait(self, seconds: float) -> int | None:
        """Return how the driver ended, None if it did not, when no process of it is left."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.find()
            time.sleep(0.1)
        code = self.process.poll()
        while any(self._living()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in self._living():
            os.kill(process, signal.SIGKILL)
        self.process.wait()
        return code

    def _living(self) -> Iterator[int]:
        stats = dict(_stats())
        return (p for p, s in self.seen.items() if _start(stats.get(p)) == s)


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of /proc/PROCESS/stat from the state on, of all that are no zombies."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield int(path.parent.name), fields


def _start(stat: list[str] | None) -> str | None:
    return stat and stat[19]


def _name(process: int) -> str:
    try:
        line = Path(f"/proc/{process}/cmdline").read_text().split("\0")[0]
    except OSError:
        return ""
    return line.rpartition("/")[2]


def rows_of(out: Path) -> list[dict]:
    return ledger.read_ledger(out / "mine" / "ledger")


def hashes(out: Path) -> set[str]:
    """The row hashes of what was measured; a failure that was tried again is no measurement."""
    return {row["row_hash"] for row in rows_of(out) if row["status"] == "ok"}


def uninterrupted(folder: Path, scratch: Path, sampler: str) -> set[str]:
    space = write(folder, SPACES[sampler] + TINY)
    assert Started.of(space, folder / "out", scratch, {}).wait(240) == 0
    return hashes(folder / "out")


def crashed(folder: Path, scratch: Path, point: Point) -> tuple[int, list[int | None]]:
    """Kill a sweep at the point; return the rows before, and how it and the next ones ended."""
    space, out = write(folder, SPACES[point.sampler] + TINY), folder / "out"
    first = Started.of(space, out, scratch, point.environment)
    if point.victim in PARTS:
        _await(first, lambda: len(rows_of(out)) >= point.rows and any(first.workers.glob("*")))
        time.sleep(point.delay)
        assert first.kill(point.victim), "nothing to kill"
    codes = [first.wait(ENDS_S)]
    kept = [row for row in rows_of(out) if row["status"] == "ok"]
    died = point.victim in PARTS or (scratch / "died").exists()
    assert died, "nothing was killed"
    while codes[-1] != 0 and len(codes) <= TRIES:
        codes.append(Started.of(space, out, scratch, {}).wait(240))
    check(folder, kept)
    return len(kept), codes


def check(folder: Path, kept: list[dict]) -> None:
    """Nothing is lost, no measurement stands twice, and all trials have ended.

    Nor may a failure stand beside what was measured at its step once its trial has ended.
    """
    out = folder / "out"
    rows = rows_of(out)
    assert [row for row in kept if row not in rows] == []
    table = darbench.load_results("mine", out=out)
    cells = Counter(table.select("trial_id", "split", "step").iter_rows())
    assert [cell for cell, count in cells.items() if count > 1] == []
    done = Counter(row["trial_id"] for row in rows if row["final"] and row["status"] == "ok")
    assert set(done.values()) == {1}, done
    planned = preview(str(folder / "mine.yaml"), LONG, out=out)
    assert planned["finished"] == planned["total"] == len(done)


def explained(out: Path) -> None:
    """What a search confirmed is what its ledger has as the best, and `add`."""
    ends = [row for row in rows_of(out) if row["final"] and row["status"] == "ok"]
    searched = sorted((r for r in ends if r["split"] == "search"), key=lambda r: r["val_loss"])
    confirmed = {row["config_hash"] for row in ends if row["split"] == "confirm"}
    adds = {row["config_hash"] for row in ends if row["routing"] == "add"}
    assert confirmed == adds | {searched[0]["config_hash"]}


def _await(started: Started, condition: Callable[[], bool]) -> None:
    while started.process.poll() is None and not condition():
        started.find()
        time.sleep(0.02)
    assert started.process.poll() is None, "it ended before"


def main() -> None:
    chosen = [p for p in points() if not sys.argv[1:] or p.victim in sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="m") as whole:
        expected = {}
        for number, point in enumerate(chosen):
            folder, scratch = Path(whole, str(number)), Path(whole, f"s{number}")
            folder.mkdir(), scratch.mkdir()
            if point.sampler not in expected:
                (once := Path(whole, point.sampler)).mkdir()
                expected[point.sampler] = uninterrupted(once, scratch, point.sampler)
            started = time.monotonic()
            try:
                kept, codes = crashed(folder, scratch, point)
                same = hashes(folder / "out") == expected[point.sampler]
                if point.sampler != "grid":
                    explained(folder / "out")
                outcome = {"rows": kept, "codes": codes, "same": same}
            except AssertionError as error:
                outcome = {"wrong": str(error), "said": (folder / "said").read_text()[-1500:]}
            took = round(time.monotonic() - started)
            print(point, f"{point.delay:.2f}", json.dumps(outcome), f"{took} s", flush=True)


if __name__ == "__main__":
    main()
