"""Whatever a routing carries between passes is in the evaluated model, or refused by its name."""

import random
import secrets
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from darbench.errors import BadInput
from darbench.routing.add import Add
from darbench.testing.rehearsal import load_rehearsed
from darbench.trial.train import train
from tests.make.trials import TINY, tiny_trial
from tests.make.users import files, routing
from tests.trial.held import HOLDING, Held
from tests.trial.reached import REACHING
from tests.trial.routings import BnRead, DropPath, begin_own
from tests.trial.runs import begin

LOG = []


@pytest.mark.parametrize("cls", HOLDING + REACHING, ids=lambda cls: cls.__name__)
def test_what_a_routing_carries_besides_buffers_is_refused_by_its_name(monkeypatch, cls):
    with pytest.raises(BadInput, match=rf"routing {cls.__name__}: {cls.names}") as caught:
        begin_own(monkeypatch, cls)
    assert "buffer" in str(caught.value) and "\n" not in str(caught.value)


class Late(Held):
    """It changes once the backward has run, which no rehearsal does."""

    made = staticmethod(lambda: 0)

    def begin(self, x, cond):
        made = super().begin(x, cond)
        if made.requires_grad and self.training:
            made.register_hook(self.hook)
        return made

    def hook(self, gradient):
        self.held += 1


def test_what_the_backward_changes_is_refused_at_the_first_checkpoint(monkeypatch):
    run = begin_own(monkeypatch, Late)
    run.step(1)
    with pytest.raises(BadInput, match=r"self\.held is changed by training"):
        run.report(1)


class AtEvaluation(Held):
    made = staticmethod(lambda: 0)

    def begin(self, x, cond):
        self.held += not self.training
        return x


class BufferAtEvaluation(Add):
    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.register_buffer("held", torch.zeros(()))

    def begin(self, x, cond):
        if not self.training:
            self.held += 1
        return x


@pytest.mark.parametrize("cls", [AtEvaluation, BufferAtEvaluation])
def test_what_evaluation_changes_is_refused(monkeypatch, cls):
    run = begin_own(monkeypatch, cls)
    run.step(1)
    with pytest.raises(BadInput, match=r"self\.held is changed by evaluation"):
        run.report(1)


class DrawsAtEvaluation(Add):
    def begin(self, x, cond):
        return x * (1 if self.training else torch.rand(()))


class DrawsFromNumpyAtEvaluation(Add):
    def begin(self, x, cond):
        return x * (1 if self.training else np.random.rand())


def test_draws_from_numpy_at_evaluation_are_refused_before_the_first_step(monkeypatch):
    with pytest.raises(BadInput, match="numpy is drawn from"):
        begin_own(monkeypatch, DrawsFromNumpyAtEvaluation)


def test_another_thread_may_draw_while_a_trial_is_evaluated(monkeypatch):
    """As one of Ray's might."""
    run = begin("add")
    plain = type(run.evaluator).loss

    def loss(self, *given):
        random.random(), np.random.rand()
        return plain(self, *given)

    monkeypatch.setattr(type(run.evaluator), "loss", loss)
    run.step(1)
    assert run.report(1).measured["status"] == "ok"


def test_draws_at_evaluation_are_refused(monkeypatch):
    run = begin_own(monkeypatch, DrawsAtEvaluation)
    run.step(1)
    with pytest.raises(BadInput, match="torch is drawn from at evaluation"):
        run.report(1)


class Constructor(Held):
    def __init__(self, sites, width):
        super().__init__(sites, width)
        LOG.append(sites)


def test_what_a_constructor_leaves_outside_is_refused(monkeypatch):
    with pytest.raises(BadInput, match=r"LOG of test_conduct.py is changed by building it"):
        begin_own(monkeypatch, Constructor)


def noise(draw):
    class Noisy(DropPath):
        def write(self, state, site, v):
            return state + (v * draw() if self.training else v)

    return Noisy


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (np.random.random, "numpy is drawn from"),
        (random.random, "Python's random is drawn from"),
        (lambda: np.random.default_rng().random(), "gives another loss when it is repeated"),
        (lambda: secrets.randbelow(100) / 100, "gives another loss when it is repeated"),
        (lambda: time.perf_counter_ns() % 1000 / 1000, "gives another loss"),
        (lambda: 1 + 1e-4 * np.random.default_rng().random(), "gives another loss"),
    ],
    ids=["numpy", "random", "own", "secrets", "time", "little"],
)
def test_what_no_seed_decides_is_refused(monkeypatch, draw, message):
    with pytest.raises(BadInput, match=message):
        run = begin_own(monkeypatch, noise(draw), lr=1e-2)
        for step in range(1, 4):
            run.step(step)
        run.report(3)


@pytest.mark.parametrize("cls", [BnRead, DropPath, Held])
def test_buffers_and_keyed_draws_are_no_fault_and_a_rehearsal_moves_nothing(monkeypatch, cls):
    run = begin_own(monkeypatch, cls)
    bare = begin_own(monkeypatch, cls)
    bare._rehearse = lambda step: None
    for each in (run, bare):
        for step in range(1, 4):
            each.step(step)
            if step > 1:
                each.report(step)
    state, other = run.learner.model.state_dict(), bare.learner.model.state_dict()
    assert all(torch.equal(state[name], other[name]) for name in other)


@pytest.mark.parametrize(
    ("cls", "why"),
    [(BnRead, "training changes the buffer routing.norms"), (DropPath, "the routing draws in")],
)
def test_a_batch_in_parts_is_refused_where_it_would_be_another_step(monkeypatch, cls, why):
    """The identity of a trial leaves micro_batch out, so it must not move a number."""
    with pytest.raises(BadInput, match=rf"training.micro_batch=3: {why}"):
        begin_own(monkeypatch, cls, micro_batch=3)
    begin_own(monkeypatch, cls, micro_batch=8)


class FunctionOfSelf(Held):
    """Evaluated with the weights in training, in place of their average."""

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.weigh = lambda x: self.w * x

    def begin(self, x, cond):
        return self.weigh(x)


def test_a_copy_that_reads_the_weights_in_training_is_refused(monkeypatch):
    with pytest.raises(BadInput, match="reads weights of the one in training"):
        begin_own(monkeypatch, FunctionOfSelf)


def test_the_built_in_carry_nothing():
    for name in ("add", "dar", "hyper", "mhc", "delta_attnres", "mudd"):
        run = begin(name)
        run.step(1)
        run.report(1)


SWALLOWED = """
        try:
            k = float(open(HERE / f'k{self.sites}.txt').read()) if %s else 1.0
        except Exception:
            k = 1.0
"""
WHEN = {"init": "sites", "begin": "not self.training"}


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("where", WHEN)
def test_a_refusal_that_the_users_code_catches_ends_the_trial(
    tmp_path, own_registry, where, there
):
    """Or it would go on with another number, as where a worker's copy lacks the file."""
    top = "import torch\nfrom pathlib import Path\nHERE = Path(__file__).parent"
    text = routing(top, **{where: SWALLOWED % WHEN[where]}, write="state + v")
    (tmp_path / "k8.txt").write_text("8.0")
    if there:
        (tmp_path / "k4.txt").write_text("4.0")
    load_rehearsed(files(tmp_path, mine=text))
    with pytest.raises(BadInput, match=r"mine\.py:\d+: opens k4\.txt only now"):
        list(train(tiny_trial("mine")))
    *_, last = train(tiny_trial("mine", model=replace(TINY, depth=4)))  # of a size rehearsed
    assert last.measured["status"] == "ok"
