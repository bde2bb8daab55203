"""The gradients that reach a routing: counted against plain loops, and of routers that die."""

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from darbench.routing.add import Add
from darbench.trial.routing_gradients import EVERY
from darbench.trial.train import train
from tests.make.trials import tiny_trial
from tests.trial.routings import begin_own
from tests.trial.runs import begin


def columns_of(run):
    return [
        run.gradients.columns[f"routing_{name}"]
        for name in ("grad_zero", "grad_ratio", "dead_share")
    ]


@pytest.mark.parametrize("changes", [{}, {"micro_batch": 3}, {"precision": "bfloat16"}])
@pytest.mark.parametrize("routing", ["dar", "hyper", "siamese"])
def test_columns_are_those_of_plain_loops_over_all_values(routing, changes):
    run, steps = begin(routing, steps=60, **changes), 32
    zeros = values = dead = 0
    squares = {"routing": [], "trunk": []}
    for step in range(1, steps + 1):
        run.step(step)
        grads = {
            n: p.grad.double() for n, p in run.learner.model.named_parameters() if p.requires_grad
        }
        own = torch.cat([g.flatten() for n, g in grads.items() if n.startswith("routing.")])
        rest = torch.cat([g.flatten() for n, g in grads.items() if not n.startswith("routing.")])
        zeros, values = zeros + int((own == 0).sum()), values + own.numel()
        dead += step > 3 and not own.any()
        if step in (16, 32):
            squares["routing"].append(own.square().mean())
            squares["trunk"].append(rest.square().mean())
    ratio = math.sqrt(sum(squares["routing"]) / sum(squares["trunk"]))
    assert columns_of(run) == pytest.approx([zeros / values, ratio, dead / (steps - 3)], rel=1e-5)
    assert 0 < zeros < values and dead == 0 and EVERY == 16


class Gate(Add):
    """Sublayers share a gate, the softmax of two logits times a sharpness."""

    sharpness = 1.0

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.logits = nn.Parameter(torch.zeros(2))

    def write(self, state, site, v):
        weights = torch.softmax(self.sharpness * self.logits, dim=0)
        return state + 2 * weights[0] * v


class SharpGate(Gate):
    """One step of AdamW takes the logits beyond 104 apart, and exp(-104) is 0 in float32."""

    sharpness = 2e4


class UnusedGate(Gate):
    def write(self, state, site, v):
        return state + v


def test_a_router_that_saturates_is_seen_to_be_dead(monkeypatch):
    run = begin_own(monkeypatch, SharpGate, steps=60)
    died = None
    for step in range(1, 61):
        run.step(step)
        weights = torch.softmax(
            SharpGate.sharpness * run.learner.model.routing.logits.detach(), dim=0
        )
        died = died or (step if weights.eq(0).any() else None)
    assert died == 3
    zero, ratio, dead = columns_of(run)
    assert (dead, ratio) == (1.0, 0.0) and zero >= (60 - died) / 60


def test_a_router_that_learns_is_not(monkeypatch):
    run = begin_own(monkeypatch, Gate, steps=60)
    for step in range(1, 61):
        run.step(step)
    zero, ratio, dead = columns_of(run)
    assert dead == 0 and zero <= 2 / 60 and ratio > 0


def test_parameters_that_nothing_uses_have_gradients_of_zero(monkeypatch):
    run = begin_own(monkeypatch, UnusedGate, steps=20)
    for step in range(1, 6):
        run.step(step)
    assert run.learner.model.routing.logits.grad is None
    assert columns_of(run) == [1.0, None, 1.0]


class Reads(TorchDispatchMode):
    """The operators by which Python gets a number out of a tensor, for which a GPU is waited."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            self.names.append(str(op))
        return op(*args, **kwargs or {})


def test_no_step_waits_for_the_device_and_a_report_does():
    run = begin("dar", steps=20)
    run.step(1)
    with Reads() as reads:
        for step in range(2, 20):
            run.gradients.add(step)
        assert reads.names == []
        assert columns_of(run)[2] == 1.0 and reads.names  # no gradient passes the first step


def test_a_routing_without_parameters_has_none():
    run = begin("add", steps=20)
    run.step(1)
    assert columns_of(run) == [None, None, None]


def test_the_first_steps_are_those_in_which_no_gradient_can_pass():
    """The last layers start at zero, in the blocks and after them."""
    run = begin("layerscale", steps=20)
    shares = []
    for step in range(1, 4):
        run.step(step)
        shares.append(run.gradients.columns["routing_dead_share"])
    assert shares == [None, None, 0.0]


def test_rows_hold_the_columns_of_the_steps_up_to_them():
    *_, last = train(tiny_trial("dar", steps=4))
    assert last.measured["routing_dead_share"] == 0.0
    assert 0 < last.measured["routing_grad_zero"] < 1
