"""Whatever a routing carries between passes is in the evaluated model, or refused by its name."""

import array
import copy
import functools
import itertools
import random
import secrets
import threading
import time
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from darbench.errors import BadInput
from darbench.routing.add import Add
from darbench.testing.rehearsal import load_rehearsed
from darbench.trial.train import train
from tests.make.trials import TINY, tiny_trial
from tests.make.users import files, routing
from tests.trial import routings
from tests.trial.routings import BnRead, DropPath, begin_own
from tests.trial.runs import begin

COUNT = 0
LOG = []
MEMO = {}
NUMBERS = array.array("d", [0.0])
LOCAL = threading.local()


class Settings:
    scale = 1.0
    steps = 0


SETTINGS = Settings()


@functools.cache
def scale(step):
    return 1.0


def tally(seen=[]):  # noqa: B006
    seen.append(1)


def counted():
    counted.calls = getattr(counted, "calls", 0) + 1


def closed():
    total = 0

    def add():
        nonlocal total
        total += 1

    return add


CLOSED = closed()


class Held(Add):
    """A routing with something on it; `passing` is what every pass does in training."""

    made = staticmethod(lambda: None)

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.w = nn.Parameter(torch.ones(width))
        self.held = type(self).made()

    def begin(self, x, cond):
        if self.training:
            self.passing(x.detach())
        return self.w * x

    def passing(self, x):
        pass


class PlainTensor(Held):
    made, names = staticmethod(lambda: torch.zeros(())), "self.held"

    def passing(self, x):
        self.held = 0.9 * self.held + 0.1 * x.mean()


class TensorInPlace(PlainTensor):
    def passing(self, x):
        self.held.add_(1)


class TensorInAList(Held):
    made, names = staticmethod(lambda: [torch.zeros(())]), "self.held"

    def passing(self, x):
        self.held[0] += 1


class Counter(Held):
    made, names = staticmethod(lambda: 0), "self.held"

    def passing(self, x):
        self.held += 1


class NewAttribute(Held):
    names = "self.last"

    def passing(self, x):
        self.last = x


class CounterOfAPart(Held):
    made, names = staticmethod(nn.Identity), "self.held.calls"

    def passing(self, x):
        self.held.calls = getattr(self.held, "calls", 0) + 1


class OfAnObject(Held):
    made, names = staticmethod(Settings), "self.held"

    def passing(self, x):
        self.held.steps += 1


class OfItertools(Held):
    made, names = staticmethod(itertools.count), "self.held"

    def passing(self, x):
        next(self.held)


class OfAGenerator(Held):
    made, names = staticmethod(lambda: (i for i in range(10**6))), "self.held"

    def passing(self, x):
        next(self.held)

    def __deepcopy__(self, memo):  # which generators have none of
        made = copy.copy(self)
        made.__dict__ = {**self.__dict__, "_parameters": dict(self._parameters)}
        return made


class OfADeque(Held):
    made, names = staticmethod(lambda: deque(maxlen=4)), "self.held"

    def passing(self, x):
        self.held.append(1)


class OwnTorchGenerator(Held):
    made, names = staticmethod(torch.Generator), "self.held"

    def passing(self, x):
        torch.rand(1, generator=self.held)


class OwnNumpyGenerator(Held):
    made, names = staticmethod(lambda: np.random.default_rng(0)), "self.held"

    def passing(self, x):
        self.held.random()


class OwnRandom(Held):
    made, names = staticmethod(lambda: random.Random(0)), "self.held"

    def passing(self, x):
        self.held.random()


class Global(Held):
    names = "COUNT of test_conduct.py"

    def passing(self, x):
        global COUNT
        COUNT += 1


class GlobalList(Held):
    names = "LOG of test_conduct.py"

    def passing(self, x):
        LOG.append(1)


class GlobalDict(Held):
    names = "MEMO of test_conduct.py"

    def passing(self, x):
        MEMO[len(MEMO)] = x


class GlobalObject(Held):
    names = "SETTINGS of test_conduct.py"

    def passing(self, x):
        SETTINGS.steps += 1


class GlobalOfANeighbour(Held):
    names = "SEEN of routings.py"

    def passing(self, x):
        routings.SEEN += 1


class OfTheClass(Held):
    names, steps = "OfTheClass.steps", 0

    def passing(self, x):
        OfTheClass.steps += 1


class OfAnotherClass(Held):
    names = "Settings.steps"

    def passing(self, x):
        Settings.steps += 1


class Memo(Held):
    names = "scale of test_conduct.py"

    def passing(self, x):
        scale(len(LOG) + random.Random(time.perf_counter_ns()).random())


class DefaultOfAFunction(Held):
    names = "default 0 of tally"

    def passing(self, x):
        tally()


class AttributeOfAFunction(Held):
    names = "calls of counted"

    def passing(self, x):
        counted()


class Closure(Held):
    names = "total of closed.<locals>.add"

    def passing(self, x):
        CLOSED()


class GlobalArray(Held):
    names = "NUMBERS of test_conduct.py"

    def passing(self, x):
        NUMBERS[0] += 1


class OfAThread(Held):
    names = "LOCAL of test_conduct.py"

    def passing(self, x):
        LOCAL.n = getattr(LOCAL, "n", 0) + 1


class NewParameter(Held):
    names = "self.w is changed"

    def passing(self, x):
        self.w = nn.Parameter(self.w.detach().clone())


CARRYING = [cls for cls in Held.__subclasses__() if "names" in vars(cls)] + [TensorInPlace]


@pytest.mark.parametrize("cls", CARRYING, ids=lambda cls: cls.__name__)
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
        (lambda: 1 + 1e-5 * np.random.default_rng().random(), "gives another loss"),
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
