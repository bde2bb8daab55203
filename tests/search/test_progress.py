from darbench.search.progress import Progress
from tests.make.trials import toy_trial

ADD = toy_trial(label="add")


def progress(**counts) -> Progress:
    return Progress(**{"total": 10, "skipped": 2} | counts)


def ok(value: float | None) -> dict:
    return {"status": "ok", "val_loss": value}


def test_progress_counts_by_the_last_row():
    p = progress()
    assert (p.left, p.seconds_left) == (8, None)
    p.ended(ADD, ok(0.5))
    p.ended(ADD, {"status": "crashed", "error": "boom"})
    assert (p.done, p.failed, p.left) == (1, 1, 6)
    assert p.event == "crashed: add, seed 0: boom"
    p.ended(ADD, {"status": "pruned", "error": "pruned by median at 2 of 6 checkpoints"})
    assert (p.done, p.failed, p.pruned, p.left) == (1, 1, 1, 5)
    assert p.event == "add, seed 0: pruned by median at 2 of 6 checkpoints"


def test_the_time_left_is_told_after_three_trials_here_without_those_cut_off(monkeypatch):
    p, trials = progress(), [toy_trial(pair_id=seed) for seed in range(5)]
    for start, trial in enumerate(trials):
        monkeypatch.setattr("time.monotonic", lambda at=10.0 * start: at)
        p.began(trial)
        assert (p.running, p.seconds_left) == (1, None if start < 4 else 10 * 5)
        monkeypatch.setattr("time.monotonic", lambda at=10.0 * start + 10: at)
        p.cut_off(trial) if start == 1 else p.ended(trial, ok(0.5))
    assert (p.running, p.left, p.seconds_left) == (0, 4, 10 * 4)
    p.ended(ADD, ok(0.5))  # by a worker elsewhere
    assert (p.running, p.left) == (0, 3)


def test_the_best_so_far_is_a_mean_over_seeds():
    p = progress()
    p.ended(toy_trial(label="a"), ok(0.1))
    p.ended(toy_trial(label="b"), ok(0.4))
    assert p.best == ("a", "val_loss", 0.1)
    p.ended(toy_trial(label="a", pair_id=1), ok(0.9))
    assert p.best == ("b", "val_loss", 0.4)


def test_a_metric_that_was_not_measured_is_said():
    p = progress()
    p.ended(ADD, ok(None))
    assert p.done == 1 and p.best is None
    assert p.event == "done: add, seed 0: val_loss was not measured"
