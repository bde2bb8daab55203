"""The interface: a class gets `read` from its `take`, or `take` from its `read`."""

import pytest
import torch

from darbench.routing.attnres import AttnRes
from darbench.routing.base import Routing
from darbench.routing.dar import Dar
from darbench.routing.hyper import Hyper
from darbench.routing.mhc import ManifoldHyper
from darbench.testing import CHECKS, check_routing
from darbench.testing.inputs import conditions, images, outputs, randomise, reads
from tests.make.models import sit

HANDING_ON = [AttnRes, Dar, Hyper, ManifoldHyper]


def softened(base):
    """A user's subclass with a `read` of its own, made of the built-in's."""

    class Softened(base):
        def read(self, state, site):
            return 0.5 * super().read(state, site) + 0.1

    return Softened


class Doubling:
    """No routing: a mix-in with a read."""

    def read(self, state, site):
        return 2 * super().read(state, site)


class DoublingTake:
    def take(self, state, site):
        h, state = super().take(state, site)
        return 2 * h, state


@pytest.mark.parametrize("base", HANDING_ON)
def test_a_subclass_with_a_read_of_its_own_is_taken_by_that_read(base):
    cls, v = softened(base), outputs()
    assert cls.take is Routing.take
    own, built_in = cls(8, 16).double(), base(8, 16).double()
    randomise(own)
    built_in.load_state_dict(own.state_dict())
    for a, b in zip(reads(own, v), reads(built_in, v), strict=True):
        torch.testing.assert_close(a, 0.5 * b + 0.1, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("base", HANDING_ON)
def test_such_a_subclass_keeps_the_contract_but_for_its_equality_to_add(base):
    eager = [check.name for check in CHECKS if check.name != "one_graph"]
    results = check_routing(softened(base), only=eager)
    failed = {r.name for r in results if not r.passed}
    assert failed <= {"declared_equality_to_add", "flops_formula"}


@pytest.mark.parametrize("base", HANDING_ON)
def test_such_a_subclass_trains_in_float32(base):
    model = sit(("add", {}))
    model.routing = softened(base)(8, 16)
    randomise(model)
    model(*images(dtype=torch.float32)).square().mean().backward()
    own = dict(model.routing.named_parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in own.values())


@pytest.mark.parametrize("mixin", [Doubling, DoublingTake])
@pytest.mark.parametrize("base", HANDING_ON)
def test_a_mix_in_changes_both_verbs(mixin, base):
    mixed, built_in = type("Mixed", (mixin, base), {})(8, 16).double(), base(8, 16).double()
    mixed.load_state_dict(built_in.state_dict())
    v = outputs()
    wanted = reads(built_in, v)
    state = mixed.begin(v[0], conditions())
    assert torch.equal(mixed.read(state, 0), 2 * wanted[0])
    assert torch.equal(mixed.take(state, 0)[0], 2 * wanted[0])


def test_a_class_of_both_verbs_keeps_both():
    class Both(Dar):
        def read(self, state, site):
            return state.last

        def take(self, state, site):
            return state.last, state

    assert Both.read is vars(Both)["read"] and Both.take is vars(Both)["take"]


def test_a_class_without_read_and_take_is_abstract():
    class Unread(Routing):
        def begin(self, x, cond):
            return x

        def write(self, state, site, v):
            return state + v

    with pytest.raises(TypeError, match=r"abstract method.*read"):
        Unread(8, 16)
