"""The verdict that a configuration can be built is kept where only darbench decides it."""

from dataclasses import replace

import pytest
import torch

from darbench.errors import BadInput
from darbench.registry import ROUTINGS
from darbench.routing.add import Add
from darbench.search import feasible
from darbench.search.feasible import require_feasible
from tests.make.trials import tiny_trial


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """An empty cache; the routings of the trials that were tried out."""
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "cache"))
    names = []
    monkeypatch.setattr(
        "darbench.trial.check.check", lambda trial: names.append(trial.variant.routing)
    )
    return names


def test_trials_of_shipped_parts_are_tried_once(tried):
    for _ in range(2):
        require_feasible([("one", tiny_trial("add")), ("two", tiny_trial("dar"))])
    assert tried == ["add", "dar"]
    require_feasible([("one", tiny_trial("add", batch=9)), ("two", tiny_trial("dar"))])
    assert tried == ["add", "dar"] * 2


class Branching(Add):
    def write(self, state, site, v):
        if self.training and torch.rand(()) < 0.3:
            return state
        return state + v


class Listing(Add):
    def write(self, state, site, v):
        return state + v * (torch.rand(1).tolist()[0] if self.training else 1)


class Masked(Add):
    def write(self, state, site, v):
        return state + (v * (torch.rand(len(v), 1, 1) > 0.3) if self.training else v)


def test_a_branch_on_what_is_drawn_is_one_line_that_names_the_mask(monkeypatch):
    own = {"branching": Branching, "listing": Listing, "masked": Masked}
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()) | own)
    for name in ("branching", "listing"):
        where = r"write\(site=0\) raised .* at .*test_feasible.py:\d+ \(`.*rand.*`\): FLOPs are "
        with pytest.raises(BadInput, match=where + "counted on .* use a mask, such as"):
            require_feasible([(name, tiny_trial(name))])
    require_feasible([("masked", tiny_trial("masked", fd_from=0.5))])


def test_a_routing_of_ones_own_is_tried_every_time(tried, monkeypatch):
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))
    ROUTINGS.adopt({"mine": type("Mine", (Add,), {"__module__": __name__})})
    for _ in range(2):
        require_feasible([("one", tiny_trial("add")), ("two", tiny_trial("mine"))])
    assert tried == ["add", "mine"] * 2


@pytest.mark.parametrize(
    "changes",
    [{"data": "cifar10", "data_path": "/somewhere"}, {"extractor": "inception-v3-compat"}],
)
def test_what_depends_on_a_users_files_is_tried_every_time(tried, changes):
    trial = tiny_trial("add")
    trial = replace(trial, task=replace(trial.task, **changes))
    for _ in range(2):
        require_feasible([("one", trial)])
    assert tried == ["add"] * 2


def test_a_refusal_names_the_configuration_and_is_not_remembered(monkeypatch, tmp_path):
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(BadInput, match="two: span=0: must be at least 1"):
            require_feasible([("one", tiny_trial("add", fd_from=0.5)), ("two", bad())])
    assert not (tmp_path / "cache").exists()


def bad():
    return tiny_trial("dar", params={"span": 0}, fd_from=0.5)


def test_a_fault_in_a_routing_is_told_with_its_line(monkeypatch):
    def broken(trial):
        raise RuntimeError("broken")

    monkeypatch.setattr(feasible, "_is_shipped", lambda trial: False)
    monkeypatch.setattr("darbench.trial.check.check", broken)
    with pytest.raises(BadInput, match="one: RuntimeError: broken"):
        require_feasible([("one", tiny_trial("add"))])
