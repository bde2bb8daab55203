"""The ways to ask: a function that never raises, and a class for pytest."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from darbench import Routing
from darbench.errors import BadInput
from darbench.testing import CHECKS, check_routing
from tests.testing.broken.training_mode import Normed, Running
from tests.testing.healthy import Scaled

NAMES = [check.name for check in CHECKS]
TRAINING_MODE = [name for name in NAMES if name.endswith("_in_training")]
VERBS_ALONE = ["state_is_tensors", "pure"]


class Raises(Scaled):
    def read(self, state, site):
        if site == 3:
            raise ZeroDivisionError("at the third")
        return state


class RaisesInTheConstructor(Scaled):
    def __init__(self, sites, width):
        raise KeyError("no such table")


class Hostile(Scaled):
    """Raises wherever it is looked at."""

    @property
    def equals_add(self):
        raise RuntimeError("asked about add")

    @property
    def conditioned_on(self):
        raise RuntimeError("asked about conditions")

    def sources(self, site):
        return 1 / 0

    def parameter_groups(self):
        return None

    def elementwise_flops(self, tokens):
        return "many"


class Refuses(Scaled):
    def __init__(self, sites, width, *, least: int = 2, most: int = 30):
        if not least <= sites <= most:
            raise ValueError(f"{sites} sites are refused")
        super().__init__(sites, width)


class Frozen(Scaled):
    """A constant kept as a parameter that is not trained, and dropout while training."""

    equals_add = "weak"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.gain = nn.Parameter(torch.full((width,), 2.0), requires_grad=False)
        self.dropout = nn.Dropout(0.1)

    def write(self, state, site, v):
        return super().write(state, site, self.gain * self.dropout(v))

    def elementwise_flops(self, tokens):
        return 3 * self.sites * tokens * self.width


class ListedBySite(Routing):
    """One parameter module for each reader, whose first has one source and so no choice."""

    equals_add = "strong"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.a = nn.ParameterList(torch.zeros(width) for _ in range(sites + 1))

    def begin(self, x, cond):
        return (x,)

    def read(self, state, site):
        stack = torch.stack(state)
        normed = nn.functional.rms_norm(stack, (self.width,), eps=1e-6)
        alpha = torch.softmax(torch.einsum("jbtd,d->jbt", normed, self.a[site]), 0)
        return torch.einsum("jbt,jbtd->btd", alpha, stack)

    def write(self, state, site, v):
        return (*state, v)

    def elementwise_flops(self, tokens):
        return 3 * (self.sites + 1) * (self.sites + 2) // 2 * tokens * self.width


def test_there_are_at_least_fifteen_checks_with_a_name_and_a_claim_each():
    assert len(NAMES) == len(set(NAMES)) >= 15
    assert all(name.isidentifier() for name in NAMES)
    assert all(check.claim and "\n" not in check.claim for check in CHECKS)


def test_the_readme_says_how_many_there_are():
    readme = Path(__file__).parents[2] / "README.md"
    assert f"# {len(CHECKS)} checks, and how to mend" in readme.read_text()


def test_results_come_in_the_order_of_the_checks():
    results = check_routing("add", only=reversed(VERBS_ALONE))
    assert [r.name for r in results] == VERBS_ALONE
    assert all(r.passed and r.message == "" and r.seconds > 0 for r in results)


@pytest.mark.parametrize("cls", [Frozen, ListedBySite])
def test_the_unusual_is_no_mistake(cls):
    assert [r.message for r in check_routing(cls) if not r.passed] == []


def test_batch_norm_passes_and_says_that_samples_mix():
    """BatchNorm of float64 reads in a random trunk is none of what other checks are about."""
    results = {r.name: r for r in check_routing(Normed, only=TRAINING_MODE)}
    assert [r.message for r in results.values() if not r.passed] == []
    assert "samples of a batch influence each other" in results["samples_in_training"].note
    assert all(not r.note for name, r in results.items() if name != "samples_in_training")
    assert all(not r.note for r in check_routing(Frozen, only=TRAINING_MODE))
    assert all(r.passed for r in check_routing(Running, only=TRAINING_MODE))


def test_parameters_are_handed_over():
    (result,) = check_routing("layerscale", {"init": 0.5}, only="declared_equality_to_add")
    assert result.passed
    (result,) = check_routing("layerscale", {"inti": 0.5}, only="constructible")
    assert "unexpected keyword argument 'inti'" in result.message


def test_an_exception_is_told_with_verb_site_line_and_code():
    (result,) = check_routing(Raises, only=["bfloat16_is_close"])
    line = Raises.read.__code__.co_firstlineno + 2
    assert f"read(site=3) raised ZeroDivisionError at {__file__}:{line}" in result.message
    assert '(`raise ZeroDivisionError("at the third")`): at the third' in result.message


def test_without_a_constructor_the_other_checks_are_not_run():
    first, *others = check_routing(RaisesInTheConstructor)
    assert first.name == "constructible" and f"{__file__}:" in first.message
    assert all(not r.passed and r.message.startswith("not run") for r in others)


@pytest.mark.parametrize("routing", [Raises, Hostile, int, 3, torch.nn.Linear])
def test_it_never_raises(routing):
    results = check_routing(routing, only=[n for n in NAMES if n != "one_graph"])
    assert not all(r.passed for r in results)
    assert all(r.message for r in results if not r.passed)


def test_hostile_declarations_fail_their_own_checks_alone():
    failed = [r.name for r in check_routing(Hostile) if not r.passed]
    assert failed == [
        "declared_sources",
        "declared_conditions",
        "declared_equality_to_add",
        "parameter_groups",
        "flops_per_token",
        "flops_formula",
    ]


def test_a_model_may_be_refused_as_too_shallow_but_not_as_too_deep():
    (result,) = check_routing(Refuses, {"least": 7}, only=["any_size"])
    assert result.passed
    (result,) = check_routing(Refuses, {"most": 20}, only=["any_size"])
    assert "24 sites are refused" in result.message and "This is at depth 12" in result.message


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(BadInput, match="did you mean pure"):
        check_routing("add", only=["puer"])
    with pytest.raises(BadInput, match="unknown routing 'ad'"):
        check_routing("ad")


def test_the_callers_generators_gradients_and_defaults_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    with torch.no_grad():
        assert all(r.passed for r in check_routing("hyper", only=NAMES[:-1]))
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]
    assert torch.get_default_dtype() == torch.float32


def test_a_class_written_in_a_string_is_checked():
    scope = {"Scaled": Scaled}
    exec("class Wrong(Scaled):\n    def read(self, state, site):\n        return state.no", scope)
    (result,) = check_routing(scope["Wrong"], only=["pure"])
    assert "raised AttributeError at <string>:3" in result.message


CONTRACT = """
import torch
from darbench import Routing
from darbench.testing import RoutingContract

class Mine(Routing):
    def __init__(self, sites, width, *, gain: float = 1.0):
        super().__init__(sites, width)
        self.gain = gain
    def begin(self, x, cond):
        return x
    def read(self, state, site):
        return state
    def write(self, state, site, v):
        return state + self.gain * v
    def elementwise_flops(self, tokens):
        return 2 * self.sites * tokens * self.width

class TestMine(RoutingContract):
    routing = Mine

class TestBuiltIn(RoutingContract):
    routing = "layerscale"
    params = {"init": 2.0}
"""


def test_the_class_for_pytest_runs_every_check_as_a_test(tmp_path):
    file = tmp_path / "test_mine.py"
    file.write_text(CONTRACT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    eager = ["-k", "not one_graph"]  # which torch compiles for seconds
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*command, *eager], capture_output=True, text=True, cwd=tmp_path, env=one_thread
    )
    assert f"1 failed, {2 * len(CHECKS) - 3} passed, 2 deselected" in run.stdout
    assert "TestMine::test_declared_equality_to_add" in run.stdout
    assert "equals_add is 'no', measured 'strong'" in run.stdout
