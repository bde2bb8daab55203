"""The verdict that a configuration can be built is kept where only darbench decides it."""

from dataclasses import replace

import pytest

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
