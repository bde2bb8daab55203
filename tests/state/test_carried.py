"""No false alarm: what code names and does not change, and what is a library's, is as it was."""

import functools
import sys
import threading
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from darbench.routing.add import Add
from darbench.routing.dar import Dar
from darbench.state.carried import attributes, carried, reachable
from darbench.state.ownership import home_of, is_own, is_users

LOCK, TABLE, UNNAMED = threading.Lock(), np.arange(4), []


@functools.cache
def table(width):
    return torch.arange(width)


@torch.compile(backend="eager")
def mixed(a, b):
    return a + b


class Quiet(Add):
    """It uses a lock, a constant, a compiled function, a full memo, and modules of a library."""

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.norm = nn.BatchNorm1d(width)
        self.same = [self.norm, self.norm.running_mean, self.norm.weight]
        self.drop = nn.Dropout(0.1)
        self.product = nn.utils.parametrizations.spectral_norm(nn.Linear(width, width))
        table(width)

    def begin(self, x, cond):
        with LOCK:
            x = mixed(x, TABLE.sum() * 0 * table(self.width))
        return self.product(self.drop(self.norm(x.flatten(0, 1)))).view_as(x)


def test_a_pass_changes_buffers_alone():
    routing = Quiet(4, 8)
    before, buffers = carried(routing), routing.norm.running_mean.clone()
    for _ in range(2):
        routing.begin(torch.randn(2, 3, 8), None).sum().backward()
        UNNAMED.append(1)
    assert carried(routing) == before
    assert not torch.equal(routing.norm.running_mean, buffers)
    assert {"TABLE of test_carried.py", "table of test_carried.py", "self.same"} <= before.keys()
    assert "UNNAMED of test_carried.py" not in before


def test_nothing_of_a_built_in_routing_lies_outside():
    assert reachable(Dar) == {}
    assert "self.width" in attributes(Dar(4, 8))


def test_a_library_is_nobodys_own_but_an_offered_package():
    assert home_of(Quiet) == __name__.partition(".")[0] and home_of(Dar) == "darbench"
    assert is_own(__name__) and is_own("__main__")
    others = ("torch.nn", "darbench.routing.add", "json", "numpy", "pytest", "builtins", None)
    assert not any(map(is_own, others))
    assert is_own("pytest", home="pytest")


@pytest.mark.parametrize(
    ("place", "own"), [("mine", True), ("dist-packages", False), ("lib/site-packages", False)]
)
def test_whose_code_it_is_has_one_answer(tmp_path, monkeypatch, place, own):
    """Whether a file is asked for or a module, and also of a user's that is named as a library."""
    for name in ("my_ops", "code"):
        module = ModuleType(name)
        module.__file__ = str(tmp_path / place / f"{name}.py")
        monkeypatch.setitem(sys.modules, name, module)
        assert is_own(name) == is_users(module.__file__) == own
