"""What a trial's rows say of its routing: of which weights, and that nothing else moves."""

import time

import pytest
import torch

from darbench.data import load
from darbench.diagnose.columns import scalar_columns
from darbench.records.schema import DIAGNOSIS, EARLY, make_row
from darbench.records.trial import Report
from darbench.trial.build import build_model
from darbench.trial.diagnosis import Diagnosis
from darbench.trial.train import train
from tests.make.trials import tiny_trial
from tests.trial.routings import BnRead, DropPath, begin_own
from tests.trial.runs import begin

DIGITS = load("digits", "")
NAMES = [*DIAGNOSIS]


def known(columns, suffix=""):
    return {name: columns.get(f"{name}{suffix}") for name in NAMES}


def held(model):
    """The columns of a model by themselves, eight images after the other as a trial of eight."""
    return pytest.approx(scalar_columns(model, DIGITS, samples=8), abs=0, nan_ok=True)


def test_the_last_row_is_of_the_averaged_weights_and_the_early_one_of_those_in_training():
    trial = tiny_trial("dar", diagnose=True, keep_weights="last")
    run = begin("dar")
    run.step(1)
    first, last = (report for report in train(trial))
    assert known(first.measured, EARLY) == held(run.learner.model.eval())
    assert known(last.measured, EARLY) == known(first.measured, EARLY)
    squares = sum(
        float(p.grad.double().square().sum())
        for name, p in run.learner.model.named_parameters()
        if p.grad is not None and not name.startswith("routing.")
    )
    assert first.measured["grad_norm_early"] == pytest.approx(squares**0.5)
    assert set(known(first.measured).values()) == {None}
    model = build_model("dar", {}, trial.model, DIGITS, 0).eval()
    model.load_state_dict(last.weights)
    assert known(last.measured) == held(model)
    assert 0 < first.measured["diagnose_seconds"] < last.measured["diagnose_seconds"]


@pytest.mark.parametrize("routing", ["add", "dar", "hyper", "siamese", BnRead, DropPath])
def test_nothing_else_of_a_row_moves(routing, monkeypatch):
    def rows(diagnose):
        given = {"diagnose": diagnose, "batch": 16}
        if isinstance(routing, str):
            run = begin(routing, **given)
        else:
            run = begin_own(monkeypatch, routing, **given)
        for step in (1, 2, 3):
            run.step(step)
        report = run.report(3)
        row = make_row(run.trial, report, {}, leaderboard="", attempt=1)
        return row["row_hash"], report.measured

    (plain, without), (hashed, measured) = rows(False), rows(True)
    assert plain == hashed
    assert measured.keys() - without.keys() == {*NAMES, *(n + EARLY for n in NAMES)} | {
        "diagnose_seconds",
        "grad_norm_early",
    }


def test_a_trial_that_diverges_has_the_early_columns_alone():
    (report,) = train(tiny_trial(diagnose=True, lr=1e30))
    assert isinstance(report, Report) and report.measured["status"] == "diverged"
    assert None not in known(report.measured, EARLY).values()
    assert set(known(report.measured).values()) == {None}


def test_a_model_without_a_finite_number_has_columns_without_one():
    model = build_model("add", {}, tiny_trial().model, DIGITS, 0).eval()
    with torch.no_grad():
        model.x_embedder.proj.weight.fill_(torch.inf)
    found = scalar_columns(model, DIGITS)
    assert found["fwd_rms_ratio"] != found["fwd_rms_ratio"]
    assert found["probe_r2"] != found["probe_r2"]


def test_neither_training_nor_evaluation_takes_the_time_of_it(monkeypatch):
    def slow(self, model, suffix=""):
        time.sleep(0.5)

    monkeypatch.setattr(Diagnosis, "add", slow)
    run, started = begin(diagnose=True), time.perf_counter()
    for step in (1, 2, 3):
        run.step(step)
    measured = run.report(3).measured
    elapsed = time.perf_counter() - started
    assert measured["train_seconds"] + measured["eval_seconds"] + 2 * 0.5 <= elapsed
