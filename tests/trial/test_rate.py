"""The course of the learning rate, against closed forms and torch's own schedulers."""

import math

import pytest
import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, SequentialLR

from darbench.records.settings import Training
from darbench.trial.rate import decay, rate_factor
from tests.trial.runs import begin


def used(run, steps):
    """The rates with which a run makes its first steps."""
    rates = []
    for step in range(1, steps + 1):
        rates.append(run.learner.optimizer.param_groups[0]["lr"])
        run.step(step)
    return rates


def test_the_rate_warms_up_in_a_line_and_then_stays():
    run = begin(warmup=3, lr=1e-3, steps=6)
    assert used(run, 6) == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3, 1e-3])


def test_warm_up_and_decay_multiply():
    run = begin(warmup=3, lr=1e-3, steps=6, schedule="linear", decay=1.0)
    wanted = [2.5e-4, 5e-4 * 5 / 6, 7.5e-4 * 4 / 6, 1e-3 * 3 / 6, 1e-3 * 2 / 6, 1e-3 / 6]
    assert used(run, 6) == pytest.approx(wanted)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("steps", "share"), [(50, 0.4), (7, 1.0), (40, 0.25)])
def test_add_learns_at_the_rates_of_torchs_own_schedulers(schedule, steps, share):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    fall = round(share * steps)
    falls = {
        "linear": lambda: LinearLR(optimizer, 1.0, 0.0, total_iters=fall),
        "cosine": lambda: CosineAnnealingLR(optimizer, T_max=fall, eta_min=0.0),
    }
    flat = ConstantLR(optimizer, 1.0, total_iters=steps)
    theirs = SequentialLR(optimizer, [flat, falls[schedule]()], milestones=[steps - fall])
    training = Training(steps=steps, schedule=schedule, decay=share)
    for step in range(steps + 1):
        wanted = optimizer.param_groups[0]["lr"]
        assert rate_factor(training, step, 3.3e9, 3.3e9) == pytest.approx(wanted, abs=1e-12)
        optimizer.step()
        theirs.step()


def test_the_closed_forms():
    linear = Training(schedule="linear", decay=0.4)
    assert [decay(linear, done) for done in (0, 0.6, 0.7, 0.8, 1)] == pytest.approx(
        [1, 1, 0.75, 0.5, 0]
    )
    cosine = Training(schedule="cosine", decay=0.5)
    assert [decay(cosine, done) for done in (0, 0.5, 0.75, 5 / 6, 1)] == pytest.approx(
        [1, 1, 0.5, 0.25, 0]
    )
    assert decay(Training(), 1.0) == 1.0


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("cost", [0.5, 1.37, 2.0, 7.3])
def test_all_variants_have_the_same_rate_at_the_same_compute(schedule, cost):
    """At the share of the budget that is done; the last step starts less than a step from 0."""
    training = Training(steps=1000, schedule=schedule)
    last = math.ceil(1000 / cost) - 1
    for step in range(last + 1):
        same = rate_factor(training, step, cost, 1.0)
        assert same == pytest.approx(decay(training, step * cost / 1000))
    rest = cost / 1000 / training.decay
    assert 0 < same <= (rest if schedule == "linear" else (math.pi * rest / 2) ** 2) * 1.001
    assert rate_factor(training, last + 1, cost, 1.0) == pytest.approx(0.0, abs=1e-12)


def test_a_dear_routing_ends_at_the_rate_of_add():
    run = begin("hyper", steps=20, schedule="linear", decay=1.0, lr=1e-3)
    cost = run.flops / run.add_flops
    steps = run.checkpoints[-1]
    assert cost > 1 and steps < 20
    wanted = [1e-3 * (1 - step * cost / 20) for step in range(steps)]
    assert used(run, steps) == pytest.approx(wanted)
