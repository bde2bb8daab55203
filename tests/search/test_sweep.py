"""Sweeps as they run: real trainings through Ray, killed and gone on with."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

import darbench
from darbench.errors import BadInput
from darbench.search import sweep as module
from darbench.search.progress import Progress
from darbench.search.sweep import preview
from darbench.store import ledger
from tests.make.spaces import OVERRIDES, TINY, write
from tests.search.running import finish, finished, rows_of, start, until, workers_of

TWO = "seeds: [0]\nvariants: [{routing: add}, {routing: denseformer}]\n" + TINY
pytestmark = pytest.mark.usefixtures("scratch")
LONG = ("seeds=[0,1]", "training.steps=150", "training.checkpoints=[0.1,0.5,1.0]")


@pytest.fixture(scope="module")
def swept(tmp_path_factory, scratch):
    """A sweep of two variants x one seed, and its progress."""
    folder = tmp_path_factory.mktemp("swept")
    space, events = write(folder, TWO), []
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    watched = ["trackers=[tensorboard]", f"notify=\"cp /dev/stdin '{folder / 'told'}'\""]
    outcome = darbench.sweep(space, watched, out=folder, listener=lambda p: events.append(p.event))
    assert list(scratch.iterdir()) == []
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    return space, folder, outcome, events


def test_a_sweep_trains_every_trial_and_leaves_a_leaderboard(swept):
    _, folder, outcome, events = swept
    counts = (outcome.total, outcome.done, outcome.failed, outcome.skipped, outcome.left)
    assert counts == (2, 2, 0, 0, 0) and not outcome.interrupted
    assert {row["routing"] for row in finished(folder)} == {"add", "denseformer"}
    assert {row["threads"] for row in rows_of(folder)} == {1}
    assert len(list((folder / "mine" / "samples").glob("*.png"))) == 2
    assert darbench.load_results("mine", out=folder).height == len(rows_of(folder))
    assert "denseformer" in outcome.board.read_text()
    assert events.count("started: add, seed 0") == 1
    assert sum(event.startswith("done: ") for event in events) == 2


def test_trackers_and_the_command_of_the_user_hear_of_a_sweep(swept):
    _, folder, outcome, events = swept
    told = json.loads((folder / "told").read_text())
    assert (told["event"], told["done"], told["board"]) == ("end", 2, str(outcome.board))
    runs = [run.name for run in (folder / "mine" / "tensorboard").iterdir()]
    assert sorted(run.split(",")[0] for run in runs) == ["add", "denseformer"]
    assert not any(event.startswith(("notify", "trackers")) for event in events)
    assert "notify" not in (folder / "mine" / "declared.json").read_text()


def test_a_second_run_runs_nothing(swept, monkeypatch):
    space, folder, _, _ = swept
    rows, events = rows_of(folder), []
    outcome = darbench.sweep(space, out=folder, listener=lambda p: events.append(p.event))
    assert (outcome.done, outcome.skipped, outcome.failed) == (0, 2, 0)
    assert events == [] and rows_of(folder) == rows
    assert preview(space, out=folder)["finished"] == 2
    monkeypatch.setattr(module, "departure", lambda task: f"{task.name}: other data")
    outcome = darbench.sweep(space, out=folder, listener=lambda p: events.append(p.event))
    assert events == [*outcome.notes] == ["digits-nano: other data"]


def test_a_sweep_says_in_its_lock_how_it_stands(tmp_path):
    heard = []
    with ledger.lock(tmp_path, "darbench sweep") as held:
        module._heard(heard.append, held)(Progress(total=5, skipped=1, done=2, running=1))
        says = ledger.driver(tmp_path)
    assert (says["left"], says["running"], len(heard)) == (2, 1, 1)
    assert ledger.driver(tmp_path) is None


def test_rows_of_an_older_schema_are_named_and_their_trials_run_again(swept, tmp_path):
    space, folder, _, _ = swept
    both = {"add": [], "denseformer": []}
    for row in rows_of(folder):
        both[row["routing"]].append(row)
    older = [row | {"schema_version": 1, "variant_code_hash": "of text"} for row in both["add"]]
    for row in older + both["denseformer"]:
        ledger.append(tmp_path / "mine" / "ledger" / "a.jsonl", row)
    assert preview(space, out=tmp_path)["finished"] == 1
    for row in both["add"]:
        ledger.append(tmp_path / "mine" / "ledger" / "b.jsonl", row)
    outcome = darbench.sweep(space, out=tmp_path)
    assert (outcome.done, outcome.skipped) == (0, 2)
    (note,) = outcome.notes
    assert note.startswith(f"{len(older)} rows are of an older schema") and "run" in note
    assert "stale: of an older source hash" in outcome.board.read_text()


def test_a_trial_on_its_own_measures_what_the_sweep_measured(swept, tmp_path):
    from darbench.commands.train import train_one

    _, folder, _, _ = swept
    alone = train_one("add", "digits-nano", OVERRIDES, out=tmp_path)
    together = [row for row in rows_of(folder) if row["routing"] == "add"]
    assert [row["row_hash"] for row in alone] == [row["row_hash"] for row in together]


@pytest.mark.slow
def test_the_number_of_workers_changes_no_bit(swept, tmp_path):
    space, folder, _, _ = swept
    darbench.sweep(space, out=tmp_path, workers=1)
    hashes = [sorted(row["row_hash"] for row in rows_of(out)) for out in (folder, tmp_path)]
    assert hashes[0] == hashes[1] and len(set(hashes[0])) == 4


def test_nothing_starts_if_one_variant_cannot_be_built(tmp_path):
    bad = "variants: [{routing: add}, {routing: dar, params: {span: [4, 0]}}]\nseeds: [0]\n"
    with pytest.raises(BadInput, match=r"dar \(span=0\): span=0: must be at least 1"):
        darbench.sweep(write(tmp_path, bad + TINY), out=tmp_path / "out")
    with pytest.raises(BadInput, match=r"dar \(span=0\): span=0: must be at least 1"):
        darbench.sweep(write(tmp_path, bad + TINY), ["sampler=random"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_killed_sweep_loses_nothing_and_the_same_command_goes_on(tmp_path, scratch):
    space, out = write(tmp_path, TWO), tmp_path / "out"
    driver = start(space, out, *LONG)
    until(lambda: finished(out))
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert list(scratch.iterdir()) != []
    with (out / "mine" / "ledger" / "torn.jsonl").open("w") as file:
        file.write('{"schema_version": 1, "tri')
    kept = {row["trial_id"] for row in finished(out)}
    code, said, complaints = finish(space, out, *LONG)
    assert (code, complaints) == (0, "") and list(scratch.iterdir()) == []
    assert "repaired " in said and "dropped a torn last line of 26 bytes" in said
    done = Counter(row["trial_id"] for row in finished(out))
    assert len(done) == 4 and set(done.values()) == {1}
    assert all(row["attempt"] == 1 for row in rows_of(out) if row["trial_id"] in kept)
    ran, earlier = re.search(r"4 trials: (\d) done, 0 failed, (\d) finished", said).groups()
    # A worker that outlived its driver may have finished one more.
    assert 1 <= len(kept) <= int(earlier) == 4 - int(ran)


def test_a_sweep_on_a_terminal_shows_its_progress_and_ends(tmp_path):
    space, (reader, writer) = write(tmp_path, TWO), pty.openpty()
    command = [sys.executable, "-m", "darbench", "sweep", "--space", space]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path), "--workers", "1", "variants=[{routing: add}]"],
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    said = b"".join(iter(partial(_read, reader), b"")).decode()
    assert process.wait() == 0, said
    assert "done: add, seed 0: val_loss" in said and "1/1, 0 running" in said
    assert "Traceback" not in said


def _read(terminal: int) -> bytes:
    """What a terminal shows next; nothing once its program has ended."""
    try:
        return os.read(terminal, 1024)
    except OSError:
        return b""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_stops_at_once_and_says_how_to_go_on(tmp_path, scratch, number):
    space, out, before = write(tmp_path, TWO), tmp_path / "a b", set(scratch.iterdir())
    long = (
        "seeds=[0,1]",
        "training.steps=100000",
        "training.checkpoints=[0.001,1.0]",
        "evaluation.fd_from=0",
    )
    driver = start(space, out, *long)
    until(lambda: len(rows_of(out)) == 2)
    workers = workers_of(out)
    os.kill(driver.pid, number)
    said, complaints = driver.communicate(timeout=60)
    assert (driver.returncode, complaints) == (130, "darbench: interrupted\n")
    assert "interrupted with 4 trials left; go on with: darbench sweep --space " in said
    assert f"--out '{out}'" in said and (out / "mine" / "index.html").is_file()
    assert {row["status"] for row in rows_of(out)} == {"ok"}
    assert set(scratch.iterdir()) == before
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)


@pytest.mark.slow
def test_a_worker_killed_in_mid_trial_fails_that_trial_alone(tmp_path):
    space, out = write(tmp_path, TWO), tmp_path / "out"
    driver = start(space, out, *LONG, "retries=0")
    until(lambda: rows_of(out))
    os.kill(workers_of(out)[0], signal.SIGKILL)
    said, complaints = driver.communicate(timeout=240)
    assert (driver.returncode, complaints) == (1, "")
    (lost,) = [row for row in rows_of(out) if row["status"] != "ok"]
    assert (lost["status"], lost["error"]) == ("crashed", "its worker process died")
    reached = [r["step"] for r in rows_of(out) if r["trial_id"] == lost["trial_id"]]
    assert lost["final"] and lost["step"] == max(reached)
    assert len(finished(out)) == 3 and "3 done, 1 failed" in said
    code, said, complaints = finish(space, out, *LONG)
    assert (code, complaints) == (0, "") and "1 done, 0 failed, 3 finished earlier" in said
    (again,) = [row for row in finished(out) if row["trial_id"] == lost["trial_id"]]
    assert again["attempt"] == 2 and again["resumed_from"] == max(reached)
    assert f"goes on from step {max(reached)}" in said
    assert not list((out / "mine" / "states").iterdir())


@pytest.mark.slow
def test_trials_that_take_too_long_end_as_timeouts(tmp_path):
    space, out = write(tmp_path, TWO), tmp_path / "out"
    limit = (
        "training.steps=100000",
        "training.timeout_s=2",
        "training.checkpoints=[0.001,1.0]",
        "evaluation.fd_from=0",
    )
    code, said, complaints = finish(space, out, *limit, "--workers", "1")
    assert (code, complaints) == (1, "")
    ends = [row for row in rows_of(out) if row["final"]]
    assert [row["status"] for row in ends] == ["timeout", "timeout"]
    assert all(row["error"] == "ran longer than 2 s" for row in ends)
    assert "0 done, 2 failed" in said


@pytest.mark.slow
def test_a_tpe_sweep_searches_then_confirms_and_ends(tmp_path):
    text = """
    sampler: tpe
    trials: 4
    seeds: [0, 1]
    confirm: {top: 1, seeds: [7]}
    variants:
      - {routing: add}
      - {routing: dar, params: {query: [static, dynamic], lr_mult: {low: 1, high: 9, log: true}}}
    """
    folder = tmp_path / "with space"
    space, out = write(folder, text + TINY.replace("\n", "\n    ")), folder / "out"
    code, said, complaints = finish(space, out, "--json", "--workers", "1")
    summary = json.loads(said)
    assert (code, complaints) == (0, "")
    assert summary["done"] == summary["total"] == len(finished(out)) >= 9
    confirmed = [row for row in finished(out) if row["split"] == "confirm"]
    assert {row["pair_id"] for row in confirmed} == {7}
    assert "add" in {row["routing"] for row in confirmed}
    assert len(list((out / "mine" / "ledger").glob("*-*"))) == 1
    code, said, _ = finish(space, out, "--json")
    assert (code, json.loads(said)["done"]) == (0, 0)
    assert preview(space, out=out)["finished"] == summary["total"]


@pytest.mark.slow
def test_two_sweeps_run_at_the_same_time_in_different_folders(tmp_path):
    space = write(tmp_path, TWO)
    first = start(space, tmp_path / "a", "--workers", "1")
    second = start(space, tmp_path / "b", "--workers", "1")
    assert [p.communicate(timeout=240)[1] for p in (first, second)] == ["", ""]
    assert (first.returncode, second.returncode) == (0, 0)
    hashes = [{row["row_hash"] for row in rows_of(tmp_path / name)} for name in "ab"]
    assert hashes[0] == hashes[1]


TUNED = f"""
seeds: [0]
tune: {{seeds: [7], over: {{training.lr: [1e-3, 1e-2]}}}}
variants: [{{routing: add}}, {{routing: denseformer}}]
{TINY}"""


@pytest.mark.slow
def test_a_tuned_sweep_that_is_interrupted_goes_on_and_adds_nothing_twice(tmp_path):
    space = write(tmp_path, TUNED)
    process = start(space, tmp_path)
    until(lambda: len([r for r in rows_of(tmp_path) if r["final"]]) >= 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) in (0, 130)
    outcome = darbench.sweep(space, out=tmp_path)
    assert (outcome.total, outcome.failed, outcome.left) == (2 + 4 + 2, 0, 0)
    ended = [row["trial_id"] for row in rows_of(tmp_path) if row["final"]]
    assert len(ended) == len(set(ended)) == 8
    rows = rows_of(tmp_path)
    again = darbench.sweep(space, out=tmp_path)
    assert (again.done, again.skipped) == (0, 8) and rows_of(tmp_path) == rows
    page = again.board.read_text()
    assert page.count(" training FLOPs</h2>") == 2 and "digits-nano, tuned training.lr at" in page
    assert re.search(r"That took 2 trials a variant, 2\.\d\d( to 2\.\d\d)? times the", page)
