"""Events are read back by TensorBoard's own reader."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from darbench.search.trackers.tensorboard import TensorBoard
from tests.make.rows import last_row, trial_rows
from tests.make.trials import toy_trial


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return {
        tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }


def test_the_measured_numbers_of_each_trial_stand_at_their_steps(tmp_path):
    trials = [toy_trial(label="a/../.. b", pair_id=seed) for seed in (0, 1)]
    rows = {trial.id: trial_rows(trial, level=1 + trial.pair_id) for trial in trials}
    tracker = TensorBoard(tmp_path)
    for pair in zip(*rows.values(), strict=True):
        for row in pair:
            tracker.show(row)
    tracker.close()
    runs = sorted((tmp_path / "tensorboard").iterdir())
    assert [run.name.split(", ")[:2] for run in runs] == [
        ["a_.._.. b", "seed 0"],
        ["a_.._.. b", "seed 1"],
    ]
    for run, own in zip(runs, rows.values(), strict=True):
        found = scalars(run)
        for name in ("val_loss", "fd", "train_flops"):
            expected = [(row["step"], row[name]) for row in own if row[name] is not None]
            assert [step for step, _ in found[name]] == [step for step, _ in expected]
            values = [value for _, value in expected]
            assert [value for _, value in found[name]] == pytest.approx(values, rel=1e-6)


def test_a_trial_that_is_tried_again_goes_on_in_its_folder(tmp_path):
    tracker, trial = TensorBoard(tmp_path), toy_trial(label="add")
    tracker.show(last_row(trial, None, status="crashed", step=0))
    tracker.show(last_row(trial, 0.5, attempt=2, step=7))
    tracker.close()
    (run,) = (tmp_path / "tensorboard").iterdir()
    assert scalars(run)["val_loss"] == [(7, 0.5)]
