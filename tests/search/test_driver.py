"""The driver's book-keeping, without Ray: what is tried again, and what is only noted."""

import pytest

from darbench.errors import BadInput
from darbench.search.driver import LOST, Driver
from darbench.store import ledger, verdicts
from tests.make.rows import failed_row, last_row, row_of
from tests.make.spaces import load
from tests.search.checkpoints import PRUNED, checkpoint
from tests.search.drive import GRID


@pytest.fixture
def driving(tmp_path):
    """A driver of a grid, and what it has said."""

    def of(*overrides: str) -> tuple[Driver, list[str]]:
        said: list[str] = []
        driver = Driver.of(
            load(tmp_path, GRID, *overrides),
            tmp_path / "mine",
            device="cpu",
            command="",
            listener=lambda progress: said.append(progress.event),
        )
        driver.build_board = lambda: None
        return driver, said

    return of


def taken(driver):
    assert driver.peek()
    return driver.take()


def wrote(driver, row):
    ledger.append(driver.folder / "ledger" / "a.jsonl", row)


def test_a_trial_whose_process_died_is_tried_again_and_then_is_a_failure(driving):
    driver, said = driving("retries=2")
    trial = taken(driver)
    for attempt in (1, 2):
        assert driver.attempt(trial) == attempt
        driver.end(trial, None)
        assert driver.progress.failed == driver.progress.running == 0
        assert said[-1] == f"add, seed 0: crashed ({LOST}), tried again"
        assert taken(driver) == trial
    driver.end(trial, None)
    assert driver.progress.failed == 1
    rows = ledger.read_ledger(driver.folder / "ledger")
    assert [(row["status"], row["error"], row["attempt"]) for row in rows] == [
        ("crashed", LOST, attempt) for attempt in (1, 2, 3)
    ]
    assert taken(driver) != trial


@pytest.mark.parametrize("status", ["crashed", "timeout", "diverged"])
def test_what_would_go_the_same_way_is_not_tried_again(driving, status):
    driver, said = driving()
    trial = taken(driver)
    driver.end(trial, failed_row(trial, status, "ValueError: no"))
    assert driver.progress.failed == 1 and said[-1] == f"{status}: add, seed 0: ValueError: no"


def test_a_trial_without_memory_is_tried_again_once(driving):
    driver, _ = driving()
    trial = taken(driver)
    driver.end(trial, failed_row(trial, "oom", "MemoryError"))
    assert taken(driver) == trial
    driver.end(trial, failed_row(trial, "oom", "MemoryError"))
    assert driver.progress.failed == 1


def test_a_trial_that_is_put_back_keeps_its_attempt_until_a_row_is_written(driving):
    driver, _ = driving()
    trial = taken(driver)
    driver.put_back(trial, "cut off")
    assert taken(driver) == trial and driver.attempt(trial) == 1
    wrote(driver, row_of(trial, step=1, final=False, val_loss=1.0, status="ok"))
    driver.put_back(trial, "cut off")
    assert driver.attempt(trial) == 2


def test_a_sweep_is_not_finished_while_a_trial_is_to_run_again(driving):
    driver, _ = driving()
    trials = []
    while driver.peek():
        trials.append(driver.take())
    for trial in trials[1:]:
        driver.end(trial, last_row(trial))
    assert driver.exhausted and not driver.finished
    driver.end(trials[0], None)
    assert not driver.finished
    driver.end(taken(driver), last_row(trials[0]))
    assert driver.finished and (driver.progress.done, driver.progress.left) == (len(trials), 0)


def test_a_disk_that_is_full_ends_the_sweep_in_one_line(driving):
    """Nothing can be noted of a trial there; `tests/search/test_full_disk.py` fills one."""
    driver, _ = driving()
    trial = taken(driver)
    (driver.folder / "ledger").symlink_to("/dev/full")
    with pytest.raises(BadInput, match=r"cannot write to .*: .*; mend that, and run the command"):
        driver.end(trial, None)


def test_retries_are_none_or_more(tmp_path):
    with pytest.raises(BadInput, match="retries=-1: must be 0 or more"):
        load(tmp_path, GRID, "retries=-1")


def test_a_driver_passes_on_what_a_pruner_says_of_a_checkpoint(tmp_path):
    """By halving, of two configurations at one checkpoint the worse one is stopped."""
    space = load(tmp_path, PRUNED, "prune.pruner=halving", "trials=2")
    driver = Driver.of(
        space, tmp_path / "mine", device="cpu", command="", listener=lambda progress: None
    )
    better, worse = taken(driver), taken(driver)
    for trial, loss in ((better, 0.5), (worse, 1.0)):
        driver.reached(trial, checkpoint(trial, 0.25, lambda trial, loss=loss: loss))
    assert (driver.pruned(better), driver.pruned(worse)) == (
        "",
        "pruned by halving at 1 of 9 checkpoints",
    )
    said = [verdict.pruned for verdict in verdicts.read(tmp_path / "mine")]
    assert said == [driver.pruned(better), driver.pruned(worse)]


def test_a_verdict_that_cannot_be_written_is_one_line(tmp_path):
    space = load(tmp_path, PRUNED, "prune.pruner=halving")
    driver = Driver.of(
        space, tmp_path / "mine", device="cpu", command="", listener=lambda progress: None
    )
    trial = taken(driver)
    (tmp_path / "mine" / verdicts.FILE).mkdir()
    with pytest.raises(BadInput, match=r"cannot write to .*mine: .* what was written is safe"):
        driver.reached(trial, checkpoint(trial, 0.25))
