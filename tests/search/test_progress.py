from darbench.search.progress import Progress
from tests.make.trials import toy_trial

ADD = toy_trial(label="add")


def progress(**counts) -> Progress:
    return Progress(**{"total": 10, "skipped": 2} | counts)


def ok(value: float | None) -> dict:
    return {"status": "ok", "val_loss": value}


def test_progress_counts_by_the_last_row(monkeypatch):
    p = progress(_started=100.0)
    assert (p.left, p.seconds_left) == (8, None)
    p.ended(ADD, ok(0.5))
    p.ended(ADD, {"status": "crashed", "error": "boom"})
    assert (p.done, p.failed, p.left) == (1, 1, 6)
    assert p.event == "crashed: add, seed 0: boom"
    monkeypatch.setattr("time.monotonic", lambda: 130.0)
    assert p.seconds_left == 30 / 2 * 6


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
