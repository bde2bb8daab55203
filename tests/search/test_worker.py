import dataclasses
import pickle
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
import torch
from PIL import Image

from darbench.records.trial import Report
from darbench.search import worker
from darbench.search.worker import RowWriter, failure, run_trial, save_grid
from darbench.store import ledger
from darbench.store.at_work import at_work
from darbench.store.logs import log_file, tail
from darbench.testing.rehearsal import load_rehearsed
from tests.make.trials import TINY, tiny_trial
from tests.make.users import files, routing


def last_row(writer, trial):
    return ledger.latest(writer.folder / "ledger", trial.id, 1)


def test_rows_are_in_the_ledger_before_anything_else_happens(tmp_path):
    trial, writer = tiny_trial(grid=12), RowWriter(folder=tmp_path / "out")
    for count, row in enumerate(run_trial(trial, writer), start=1):
        assert ledger.read_ledger(writer.folder / "ledger")[-1] == row
        assert len(ledger.read_ledger(writer.folder / "ledger")) == count
    assert (row["step"], row["status"], row["final"]) == (3, "ok", True)
    assert row["leaderboard"] == "out"
    with Image.open(writer.folder / "samples" / f"{trial.id}.png") as picture:
        assert picture.size == (10 * 9 - 1, 2 * 9 - 1)


def test_a_trial_reproduces_to_the_bit(tmp_path):
    trial = tiny_trial()
    hashes = [
        [row["row_hash"] for row in run_trial(trial, RowWriter(folder=tmp_path / name), attempt)]
        for name, attempt in (("a", 1), ("b", 2))
    ]
    assert hashes[0] == hashes[1] and len(hashes[0]) == 2


def test_a_picture_that_cannot_be_saved_fails_no_trial(tmp_path):
    trial, writer = tiny_trial(), RowWriter(folder=tmp_path / "out")
    writer.folder.mkdir()
    (writer.folder / "samples").write_text("in the way")
    assert [row["status"] for row in run_trial(trial, writer)] == ["ok", "ok"]


def test_an_exception_becomes_the_last_row(tmp_path):
    trial = tiny_trial()
    trial = dataclasses.replace(trial, task=dataclasses.replace(trial.task, data="nowhere"))
    writer = RowWriter(folder=tmp_path / "out")
    (row,) = run_trial(trial, writer, attempt=3)
    assert (row["status"], row["step"], row["final"], row["attempt"]) == ("crashed", 0, True, 3)
    assert "nowhere" in row["error"] and "\n" not in row["error"]


@pytest.mark.parametrize("late", ["len(x) > 2", "len(x) > 2 and not self.training"])
def test_a_file_first_opened_in_a_trial_ends_it_with_a_line(tmp_path, own_registry, late):
    """Numbers that come from it would be in no hash. A pass of three or more comes in a trial."""
    here = "from pathlib import Path\nimport numpy as np\nHERE = Path(__file__).parent"
    mine = files(tmp_path, mine=routing(here, begin=f"{late} and np.load(HERE / 'table.npy')"))
    np.save(tmp_path / "table.npy", np.ones(3))
    load_rehearsed(mine)
    rows = [*run_trial(tiny_trial("mine"), RowWriter(folder=tmp_path / "out"))]
    assert rows[-1]["status"] == "crashed" and rows[-1]["final"]
    assert "mine.py:16: opens table.npy only now" in rows[-1]["error"]
    assert rows[-1]["error"].endswith("; read it at import")


def test_a_trial_has_a_log_and_says_that_it_runs_while_it_does(tmp_path):
    trial, writer = tiny_trial(routing="dar"), RowWriter(folder=tmp_path / "out")
    rows = run_trial(trial, writer, attempt=2)
    row = next(rows)
    (says,) = at_work(writer.folder)
    assert (says["trial"], says["seed"], says["done"]) == (trial.id, 0, 1)  # once a second
    steps = [row["step"], *(row["step"] for row in rows)]
    assert at_work(writer.folder) == [] and says["steps"] == steps[-1]
    lines = [line[21:] for line in tail(log_file(writer.folder, trial.id), 9)]
    assert lines[0] == "attempt 2: dar, seed 0, by worker"
    assert [line.partition(":")[0] for line in lines[1:]] == [f"step {step}" for step in steps]
    assert lines[-1].endswith("; done")


def test_the_log_of_a_trial_that_fails_says_where(tmp_path):
    trial = tiny_trial()
    trial = dataclasses.replace(trial, task=dataclasses.replace(trial.task, data="nowhere"))
    (row,) = run_trial(trial, RowWriter(folder=tmp_path / "out"))
    log = log_file(tmp_path / "out", trial.id).read_text()
    assert "Z crashed: Traceback (most recent call last):\n" in log and row["error"] in log
    assert 'File "train.py"' in log and "^^^" not in log


def test_a_model_too_large_for_the_memory_is_an_oom(tmp_path):
    trial = tiny_trial(model=dataclasses.replace(TINY, mlp_ratio=1e12))
    (row,) = run_trial(trial, RowWriter(folder=tmp_path / "out"))
    assert (row["status"], row["step"]) == ("oom", 0)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("a\nb"), "crashed"),
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
    ],
)
def test_a_failure_keeps_the_step_that_was_reached(tmp_path, monkeypatch, error, status):
    def train(trial, device, kept, stepped):
        yield Report(step=2, final=False, measured={"val_loss": 0.5})
        raise error

    monkeypatch.setattr(worker, "train", train)
    trial, writer = tiny_trial(), RowWriter(folder=tmp_path / "out")
    first, last = run_trial(trial, writer)
    assert (first["status"], first["final"]) == ("ok", False)
    assert (last["status"], last["step"], last["final"]) == (status, 2, True)
    assert last["error"].startswith(type(error).__name__)
    assert last_row(writer, trial) == last


def test_a_trial_that_is_pruned_ends_after_its_row_and_leaves_no_state(tmp_path):
    trial, writer = tiny_trial(), RowWriter(folder=tmp_path / "out")
    asked = []

    def pruned(row):
        asked.append(row and row["step"])
        return "pruned by halving at 1 of 6 checkpoints" if row else ""

    first, last = run_trial(trial, writer, pruned=pruned)
    assert asked == [None, first["step"]] and not first["final"]
    assert (last["status"], last["step"], last["final"]) == ("pruned", first["step"], True)
    assert last["error"] == "pruned by halving at 1 of 6 checkpoints" and last["val_loss"] is None
    assert last_row(writer, trial) == last and not [*(tmp_path / "out").glob("states/*")]
    assert tail(log_file(writer.folder, trial.id), 1)[0].endswith(last["error"])


def test_a_trial_that_is_pruned_before_it_goes_on_makes_no_step(tmp_path, monkeypatch):
    """It was cut off between the verdict and its last row; one that never began is at step 0."""
    trial, writer = tiny_trial(), RowWriter(folder=tmp_path / "out")
    cut_off = run_trial(trial, writer)
    reached = next(cut_off)["step"]
    cut_off.close()
    monkeypatch.setattr(worker, "train", None)
    (last,) = run_trial(trial, writer, 2, pruned=lambda row: "pruned")
    assert (last["status"], last["step"], last["attempt"]) == ("pruned", reached, 2)
    (fresh,) = run_trial(tiny_trial(pair_id=1), writer, pruned=lambda row: "pruned")
    assert (fresh["status"], fresh["step"], fresh["final"]) == ("pruned", 0, True)
    assert ledger.finished([last, fresh]).keys() == {ledger.row_key(r) for r in (last, fresh)}


def test_a_loss_that_explodes_is_diverged_and_final(tmp_path):
    trial = tiny_trial(lr=1e30, steps=20)
    rows = [*run_trial(trial, RowWriter(folder=tmp_path / "out"))]
    assert (rows[-1]["status"], rows[-1]["final"]) == ("diverged", True)


def hang(tmp_path, before: str) -> tuple[int, dict]:
    """Exit code and last row of a process that hangs within a watchdog of 0.3 s."""
    trial = tiny_trial(timeout_s=0.3)
    code = f"""
    import pickle, time
    from pathlib import Path
    from darbench.records.trial import Report
    from darbench.search.worker import RowWriter, watchdog
    trial = pickle.loads({pickle.dumps(trial)!r})
    writer = RowWriter(folder=Path({str(tmp_path)!r}))
    with watchdog(trial, writer, 1):
        {before}
        time.sleep(60)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], timeout=50)
    return done.returncode, last_row(RowWriter(folder=tmp_path), trial)


def test_a_hanging_trial_ends_its_process_with_a_timeout_row(tmp_path):
    returncode, row = hang(tmp_path, "pass")
    assert returncode == 1
    assert (row["status"], row["step"], row["final"]) == ("timeout", 0, True)
    assert row["error"] == "ran longer than 0.3 s"


def test_a_timeout_keeps_the_step_that_was_reached(tmp_path):
    reached = "writer.append(trial, Report(step=7, final=False, measured={'val_loss': 0.5}), 1)"
    returncode, row = hang(tmp_path, reached)
    assert (returncode, row["status"], row["step"]) == (1, "timeout", 7)


def test_a_watchdog_lets_a_trial_in_time_be(tmp_path):
    trial, writer = tiny_trial(timeout_s=0.2), RowWriter(folder=tmp_path / "out")
    with worker.watchdog(trial, writer, 1):
        pass
    assert last_row(writer, trial) is None


def test_an_error_without_words_is_named_by_its_kind():
    assert failure("crashed", 3, KeyError()).measured["error"] == "KeyError: KeyError"
    assert failure("crashed", 0, "gone").measured == {"status": "crashed", "error": "gone"}


@pytest.mark.parametrize(("n", "channels"), [(1, 1), (3, 3), (12, 3), (10, 1), (21, 1)])
def test_the_picture_holds_the_samples_in_order_and_grey_elsewhere(tmp_path, n, channels):
    samples = np.random.default_rng(0).integers(0, 256, (n, 4, 4, channels), dtype=np.uint8)
    save_grid(samples, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        sheet = np.asarray(picture).reshape(picture.height, picture.width, channels)
    expected = np.full((-(-n // 10) * 5 - 1, 10 * 5 - 1, channels), 128, np.uint8)
    for i, sample in enumerate(samples):
        top, left = i // 10 * 5, i % 10 * 5
        expected[top : top + 4, left : left + 4] = sample
    assert picture.mode == {1: "L", 3: "RGB"}[channels]
    assert np.array_equal(sheet, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
