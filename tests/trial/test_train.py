import math
from dataclasses import replace

import numpy as np
import pytest

from darbench.data import load
from darbench.metrics.scores import validation
from darbench.model.sizes import resolve
from darbench.records.schema import COLUMNS
from darbench.records.settings import Model, Stochastic
from darbench.trial import train as trainer
from darbench.trial.check import check
from darbench.trial.train import Run
from tests.make.rows import PYTHON_TYPES
from tests.make.trials import DIGITS, TINY, tiny_trial
from tests.trial.runs import aligned, begin


@pytest.mark.parametrize("mark", [0.07, 0.14, 0.28, 0.55, 0.56])
def test_samples_are_made_from_their_mark_on_even_if_it_has_no_exact_binary_form(mark):
    """mark x 100 is a little above the whole number of the step."""
    run = begin(steps=100, checkpoints=(mark, 1.0), fd_from=mark)
    run.step(1)
    assert run.report(run.checkpoints[0]).samples is not None
    run.step(2)
    assert run.report(run.checkpoints[0] - 1).samples is None


@pytest.fixture(scope="module")
def reports():
    nano = resolve(Model(size="nano"))
    trial = tiny_trial("dar", model=nano, params={"query": "static_t"}, fd_from=0.4)
    return list(trainer.train(trial))


def test_a_trial_reports_at_its_checkpoints_and_ends_with_the_final_one(reports):
    run = Run(tiny_trial("dar", model=resolve(Model(size="nano"))), "cpu")
    assert [r.step for r in reports] == run.checkpoints
    assert [r.final for r in reports] == [False, True]
    assert run.flops > run.add_flops


def test_a_report_holds_the_columns_of_a_row_with_finite_numbers(reports):
    wanted = {
        "status",
        "train_loss",
        "val_loss",
        "val_loss_bins",
        "samples_seen",
        "train_flops",
        "budget_flops",
        "flops_routing_share",
        "params_total",
        "params_routing",
        "train_seconds",
        "eval_seconds",
        "peak_mem_bytes",
        "ref_hash",
        "data_fingerprint",
        "step_ms_p50",
        "step_ms_p95",
        "step_own_ms_p50",
        "fd",
        "kid",
        "precision",
        "recall",
        "n_gen",
        "class_accuracy",
        "val_class_accuracy",
    }
    types = {column.name: PYTHON_TYPES[column.kind] for column in COLUMNS.values()}
    for report in reports:
        assert wanted <= report.measured.keys() <= types.keys()
        for name, value in report.measured.items():
            if name.startswith(("fd_inf", "fdr")):  # which need more than 64 samples
                assert value is None
                continue
            if name in ("routing_grad_ratio", "routing_dead_share"):  # which need more steps
                assert value in (None, 0.0)
                continue
            assert isinstance(value, types[name]), name
            if isinstance(value, float):
                assert math.isfinite(value), name
        assert len(report.measured["val_loss_bins"]) == 4


def test_a_report_counts_what_was_done(reports):
    run = Run(
        tiny_trial("dar", model=resolve(Model(size="nano")), params={"query": "static_t"}), "cpu"
    )
    parameters = 25 * 2 * 32 + 32**2
    for report in reports:
        m = report.measured
        assert m["samples_seen"] == 8 * report.step
        assert m["train_flops"] == report.step * run.flops
        assert m["budget_flops"] == 3 * run.add_flops
        assert m["flops_routing_share"] == pytest.approx(1 - run.add_flops / run.flops)
        assert m["params_routing"] == parameters
        assert m["params_total"] == sum(p.numel() for p in run.learner.model.parameters())
        assert m["data_fingerprint"] == load("digits").fingerprint
        assert m["n_gen"] == 64
    assert reports[-1].measured["train_flops"] >= reports[-1].measured["budget_flops"]
    first, last = (r.measured["train_seconds"] for r in reports)
    assert 0 < first < last


def test_the_picture_is_the_first_samples():
    run = Run(tiny_trial(fd_from=0.0), "cpu")
    run.step(1)
    picture = run.report(1).samples
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, run.evaluator.samples(run.learner.ema).pictures[:10])
    assert picture.base is None  # the other samples are let go


def test_the_same_trial_measures_the_same_numbers_again():
    times = ("step_ms_p50", "step_ms_p95", "step_own_ms_p50")
    timed = {"train_seconds", "eval_seconds", "peak_mem_bytes", *times}
    runs = [list(trainer.train(tiny_trial("hyper", pair_id=3))) for _ in range(2)]
    for one, two in zip(*runs, strict=True):
        assert {k: v for k, v in one.measured.items() if k not in timed} == {
            k: v for k, v in two.measured.items() if k not in timed
        }


def test_the_training_loss_is_the_mean_since_the_last_checkpoint():
    run = begin(steps=4)
    losses = []
    for step in range(1, 5):
        run.step(step)
        losses.append(run.losses[-1].item())
        if step in (2, 4):
            found = run.report(step).measured["train_loss"]
            assert found == pytest.approx(np.mean(losses), rel=1e-6)
            losses = []


def test_a_trial_learns():
    first, last = trainer.train(tiny_trial(steps=60, batch=32, checkpoints=(0.02, 1.0)))
    assert last.measured["val_loss"] < 0.7 * first.measured["val_loss"]


def test_a_trial_can_be_left_at_any_report():
    trial = trainer.train(tiny_trial())
    assert not next(trial).final
    trial.close()


def test_a_loss_that_is_not_finite_ends_the_trial_as_diverged():
    (*_, last) = found = list(
        trainer.train(tiny_trial(lr=1e30, steps=50, checkpoints=(0.1, 0.5, 1.0)))
    )
    assert len(found) == 1 and last.step == 5 and last.final
    assert last.measured["status"] == "diverged"
    assert "not finite by step 5" in last.measured["error"]
    assert "val_loss" not in last.measured and last.samples is None
    assert last.measured["samples_seen"] == 40


def test_samples_that_are_not_finite_end_the_trial_as_diverged():
    *_, last = trainer.train(tiny_trial(guidance=1e300))
    assert last.final and last.measured["status"] == "diverged"
    assert "samples are not finite at step 3" in last.measured["error"]


@pytest.mark.parametrize(
    "pictures",
    [
        lambda n: np.full((n, 8, 8, 1), 7),
        lambda n: np.tile(np.arange(64).reshape(8, 8, 1), (n, 1, 1, 1)),
        lambda n: np.broadcast_to(np.arange(n).reshape(n, 1, 1, 1) % 256, (n, 8, 8, 1)),
    ],
    ids=["black", "one picture", "a colour each"],
)
def test_samples_that_show_nothing_end_the_trial_as_diverged(monkeypatch, pictures):
    monkeypatch.setattr(
        type(load("digits")), "decode", lambda self, x: pictures(len(x)).astype(np.uint8)
    )
    *_, last = trainer.train(tiny_trial())
    assert last.final and last.measured["status"] == "diverged"
    assert "samples show nothing at step 3" in last.measured["error"]
    assert "fd" not in last.measured


# Other objectives, paths and samplers

REPA = {"objective": "repa", "repa": aligned(layer=1)}


def test_repa_costs_add_and_a_variant_the_same():
    plain, run = begin("dar"), begin("dar", **REPA)
    beyond = run.learner.objective.step_flops(8, (1, 8, 8))
    assert beyond > 0
    assert run.flops == plain.flops + beyond
    assert run.add_flops == plain.add_flops + beyond


@pytest.mark.parametrize(
    "changes",
    [
        REPA,
        {"objective": "noise", "sampler": "heun_sde", "weighting": "velocity"},
        {"objective": "score", "path": "VP", "sampler": "euler_maruyama"},
        {"path": "GVP", "sampler": "euler_maruyama", "sde": Stochastic(form="SBDM")},
        {"path": "VP", "sampler": "heun_sde", "sde": Stochastic(last_step="none")},
        {"objective": "repa", "repa": aligned(layer=2, norm=True), "precision": "bfloat16"},
    ],
)
def test_every_objective_path_and_sampler_makes_a_trial(changes):
    trial = tiny_trial("dar", steps=20, sampler_steps=5, checkpoints=(0.05, 1.0), **changes)
    first, last = trainer.train(trial)
    assert last.measured["status"] == "ok" and math.isfinite(last.measured["fd"])
    assert last.measured["val_loss"] < first.measured["val_loss"]


# Data of other kinds


def test_colour_images_without_end_train_and_are_scored():
    shapes = replace(DIGITS, name="shapes-nano", data="shapes", extractor="shapes-cnn")
    trial = replace(tiny_trial(model=replace(TINY, patch=4), fd_from=0.5), task=shapes)
    check(trial)
    *_, last = trainer.train(trial)
    assert last.final and last.measured["status"] == "ok"
    assert last.samples.shape == (10, 16, 16, 3) and last.measured["n_ref"] == 2048


def test_what_the_data_keep_apart_is_measured_beside():
    """A model that has not learnt yet says 0, and its loss is the mean square of the velocity."""
    task = replace(DIGITS, data="photos", extractor="photos-cnn")
    run, data = begin(task=task), load("photos")
    x0, _ = validation._draw(0, (256, 3, 16, 16))
    wanted = ((np.moveaxis(data.apart_images, 3, 1) / 127.5 - 1 - x0) ** 2).mean()
    found = run.evaluator.apart(run.learner.model)
    assert found == {"val_loss_apart": pytest.approx(wanted, rel=1e-5)}
    *_, last = trainer.train(tiny_trial(task=task))
    assert 0 < last.measured["val_loss_apart"] != last.measured["val_loss"]
    assert begin().evaluator.apart(run.learner.model) == {}


def test_fdr_is_the_mean_over_the_task_s_and_further_extractors():
    def fdr(**given):
        *_, last = trainer.train(tiny_trial(n_gen=200, **given))
        return last.measured

    own, both = fdr(), fdr(fdr_extractors=("shapes-cnn",))
    assert own["n_fdr"] == both["n_fdr"] == 200 and own["fdr"] != both["fdr"]
    assert both["fd"] == own["fd"] and both["fdr"] > 1 < own["fdr"]
