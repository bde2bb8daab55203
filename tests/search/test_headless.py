"""Workers without a driver share a leaderboard, alone and with one, and are killed at random."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

import pytest

import darbench
from darbench.board.build import build
from darbench.errors import BadInput
from darbench.search.headless import work
from darbench.store import ledger
from darbench.store.claims import FOLDER
from tests.make.spaces import TINY, write

HEAD = "variants: [{routing: add}, {routing: denseformer}]\n" + TINY
FEW, MANY = "seeds: [0]\n" + HEAD, f"seeds: {[*range(8)]}\n" + HEAD
LONG = ("training.steps=60", "training.checkpoints=[0.1,0.5,1.0]", "training.save_every_s=0.05")


def start(verb, space, out, *more):
    """A command in a session of its own; Ray's sockets want a short folder."""
    command = [sys.executable, "-m", "darbench", verb, "--space", space, "--out", str(out), *LONG]
    with (out.parent / f"{verb}.txt").open("a") as said:
        return subprocess.Popen(
            [*command, *more], stdout=said, stderr=said, start_new_session=True
        )


def kill(process, whole=True):
    """Kill a command with all that it started, or it alone."""
    (os.killpg if whole else os.kill)(process.pid, signal.SIGKILL)
    process.wait()


def rows_of(out):
    return ledger.read_ledger(out / "mine" / "ledger")


def measured(out):
    return {row["row_hash"] for row in rows_of(out) if row["status"] == "ok"}


def check(out, trials):
    rows = rows_of(out)
    done = Counter(row["trial_id"] for row in rows if row["final"] and row["status"] == "ok")
    assert len(done) == trials and set(done.values()) == {1}
    assert [*(out / "mine" / FOLDER).iterdir()] == []
    build("mine", out)
    table = darbench.load_results("mine", out=out)
    cells = Counter(table.select("trial_id", "split", "step").iter_rows())
    assert set(cells.values()) == {1}


def until(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def test_a_worker_takes_over_what_a_killed_one_has_begun(tmp_path):
    space, out = write(tmp_path, FEW), tmp_path / "out"
    first = start("worker", space, out, "--silent", "2")
    until(lambda: rows_of(out))
    kill(first)
    second = start("worker", space, out, "--silent", "2")
    assert second.wait(timeout=200) == 0
    check(out, 2)
    assert {row["attempt"] for row in rows_of(out)} == {1, 2}
    assert any(row["resumed_from"] for row in rows_of(out))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sampler: tpe\n", "sampler=tpe"),
        ("sampler: random\n", "sampler=random"),
        ("coarse: {seeds: [3000, 3001]}\naxes: {model.patch: [2, 4]}\n", "coarse.seeds"),
        ("tune: {over: {training.lr: [1e-3, 1e-2]}}\n", "tune.over"),
    ],
)
def test_what_is_chosen_by_what_has_ended_needs_a_driver(tmp_path, text, named):
    with pytest.raises(BadInput, match=f"{named}: what runs next .* needs a driver"):
        work(write(tmp_path, text + HEAD), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_eight_workers_and_a_driver_share_a_leaderboard_while_some_are_killed(tmp_path):
    drawn, space, out = random.Random(6), write(tmp_path, MANY), tmp_path / "out"
    workers = [start("worker", space, out, "--silent", "20") for _ in range(8)]
    with tempfile.TemporaryDirectory(prefix="d", ignore_cleanup_errors=True) as scratch:
        os.environ["TMPDIR"] = scratch
        driver = start("sweep", space, out, "--workers", "1")
        killed = []
        for after in (3, 9, 15, 21):
            until(lambda: len(rows_of(out)) >= after)  # noqa: B023
            time.sleep(drawn.random())
            victim = drawn.choice([*workers, driver])
            if victim.poll() is None:
                kill(victim, whole=victim is driver or drawn.random() < 0.5)
                killed.append("driver" if victim is driver else "worker")
            if victim is driver:
                driver = start("sweep", space, out, "--workers", "1")
            else:
                workers[workers.index(victim)] = start("worker", space, out, "--silent", "20")
        codes = [process.wait(timeout=600) for process in (*workers, driver)]
    print(f"killed {killed}, exit codes {codes}")
    check(out, 16)
    alone = tmp_path / "alone" / "out"
    alone.parent.mkdir()
    assert start("worker", space, alone).wait(timeout=300) == 0
    assert measured(alone) == measured(out)
