import subprocess
import sys
import time

import pytest

from darbench.errors import BadInput, Missing
from darbench.search.trackers import tracking as module
from darbench.search.trackers.tracking import tracking
from darbench.store import ledger
from tests.make.rows import last_row, row_of
from tests.make.spaces import load
from tests.make.trials import toy_trial


class Seen:
    """A tracker that notes what it is shown, and may break at a step."""

    def __init__(self, breaks_at: int | None = None):
        self.steps, self.closed, self.breaks_at = [], 0, breaks_at

    def show(self, row):
        if row["step"] == self.breaks_at:
            raise OSError("no route to host\nand more")
        self.steps.append(row["step"])

    def close(self):
        self.closed += 1


@pytest.fixture
def trackers(monkeypatch):
    made = {"good": Seen(), "bad": Seen(breaks_at=2)}
    monkeypatch.setattr(module, "_tracker", lambda name, folder: made[name])
    return made


def write(folder, *steps, file="a.jsonl"):
    for step in steps:
        row = row_of(toy_trial(), step=step, final=False, val_loss=0.5)
        ledger.append(folder / "ledger" / file, row)


def test_trackers_are_shown_what_is_written_meanwhile_and_the_last_of_it(trackers, tmp_path):
    write(tmp_path, 1)
    with tracking(["good"], tmp_path, pytest.fail):
        write(tmp_path, 3)
        write(tmp_path, 4, 5, file="of another worker.jsonl")
    assert trackers["good"].steps == [3, 4, 5] and trackers["good"].closed == 1


def test_a_tracker_that_fails_costs_a_line_and_the_others_go_on(trackers, tmp_path):
    said = []
    with tracking(["bad", "good"], tmp_path, said.append):
        write(tmp_path, 1, 2, 3)
    assert said == ["trackers: bad is shown no more rows: no route to host"]
    assert (trackers["bad"].steps, trackers["good"].steps) == ([1], [1, 2, 3])
    assert (trackers["bad"].closed, trackers["good"].closed) == (0, 1)


def test_trackers_see_the_end_of_a_sweep_that_fails(trackers, tmp_path):
    with pytest.raises(KeyboardInterrupt), tracking(["good"], tmp_path, pytest.fail):
        write(tmp_path, 1)
        raise KeyboardInterrupt
    assert trackers["good"].steps == [1] and trackers["good"].closed == 1


def test_a_tracker_that_hangs_does_not_hold_the_sweep(trackers, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "END_S", 0.2)
    trackers["good"].close = lambda: time.sleep(3)
    said = []
    with tracking(["good"], tmp_path, said.append):
        pass
    assert said == ["trackers: good took longer than 0.2 s to end"]


def test_an_unknown_tracker_is_refused_with_near_names(tmp_path):
    with pytest.raises(BadInput, match="unknown tracker 'tensorbord'; did you mean tensorboard"):
        load(tmp_path, "trackers: [tensorbord]\nvariants: [{routing: add}]\n")


def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "darbench.search.trackers.weights_and_biases", raising=False)
    with (
        pytest.raises(Missing, match=r"wandb needs wandb, .*pip install 'darbench\[wandb\]'"),
        tracking(["wandb"], tmp_path, print),
    ):
        pytest.fail("it began")


def test_no_tracker_is_imported_unless_it_is_named():
    code = (
        "import sys, darbench.search.sweep, darbench.search.trackers.tracking; "
        "sys.exit(bool({'wandb', 'tensorboardX', 'tensorboard'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_row_of_a_failure_ends_a_run_without_numbers():
    from darbench.search.trackers.tracker import measured, run_name

    row = last_row(toy_trial(label="../a/../b"), None, status="crashed")
    assert dict(measured(row)) == {}
    assert run_name(row) == ".._a_.._b, seed 0"
