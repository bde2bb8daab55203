"""What a routing draws in training: a function of seed and step, hashed, and its own affair."""

import random

import numpy as np
import torch

from darbench.trial import train as trainer
from darbench.trial.draws import Draws
from tests.make.trials import tiny_trial
from tests.trial.routings import DropPath, begin_own
from tests.trial.runs import begin


def losses(run, steps=4):
    for step in range(1, steps + 1):
        run.step(step)
    return torch.stack(run.losses)


def test_two_runs_with_stochastic_depth_are_equal_whatever_the_process_drew(monkeypatch):
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        run = begin_own(monkeypatch, DropPath)
        made.append((losses(run), run.audit.columns, run.learner.ema.state_dict()))
    (one, columns, average), (two, others, again) = made
    assert torch.equal(one, two) and columns == others
    assert all(torch.equal(average[name], again[name]) for name in average)


def test_every_step_and_every_seed_drops_others(monkeypatch):
    kept = {}
    for pair_id in (0, 1):
        run = begin_own(monkeypatch, DropPath, pair_id=pair_id)
        for step in (1, 2):
            run.draws.key(step)
            kept[pair_id, step] = torch.rand(100)
    assert len({tuple(values.tolist()) for values in kept.values()}) == 4


def test_what_a_routing_draws_moves_nothing_that_it_shares_with_add(monkeypatch):
    run, add = begin_own(monkeypatch, DropPath), begin()
    losses(run)
    losses(add)
    shared = run.audit.columns.keys() - {"audit_draws"}
    assert "audit_draws" not in add.audit.columns
    assert {name: run.audit.columns[name] for name in shared} == add.audit.columns


def draw_one(*_):
    torch.rand(())


def test_the_audit_tells_one_number_more_or_less(monkeypatch):
    def audit(extra):
        run = begin_own(monkeypatch, DropPath)
        if extra:
            run.learner.model.register_forward_pre_hook(draw_one)
        losses(run)
        return run.audit.columns["audit_draws"]

    assert audit(False) == audit(False) != audit(True)


def test_a_step_without_draws_leaves_the_chain_as_it_was():
    draws = Draws(0, "cpu")
    draws.key(1)
    assert draws.digest() == ""
    torch.rand(1)
    drawn = draws.digest()
    draws.key(1)
    torch.rand(1)
    assert draws.digest() == drawn != ""


def test_whoever_takes_the_reports_finds_the_generators_as_they_were():
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    for _ in trainer.train(tiny_trial()):
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]
