"""Every built-in routing, in every setting that its class names: tests besides the contract.

The contract itself is tested in tests/testing/test_built_in.py.
"""

import inspect
import itertools
import re
from pathlib import Path

import pytest
import torch

from darbench.registry import ROUTINGS, signature
from darbench.routing.base import Routing
from darbench.testing.inputs import conditions, images, outputs, randomise, randomise_trunk, reads
from tests.make.models import SETTINGS, name_of, routing_of, sit

every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=name_of)

ROOT = Path(__file__).parents[2]
ADD = ("add", {})
NAN = float("nan")

# Mix the tokens of a sample, by their definition, from the first write on.
MEAN_OVER_TOKENS = {"mvsplit"}


def random_routing(setting, dtype=torch.float64, std=0.5):
    routing = routing_of(setting).to(dtype)
    randomise(routing, std)
    return routing


def test_every_module_with_a_routing_is_found_and_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for path in (ROOT / "darbench" / "routing").glob("*.py"):
        for name in re.findall(r'^@register\("(\w+)"\)', path.read_text(), re.M):
            assert name in {name for name, _ in SETTINGS}
            assert re.search(rf"^\| .*`{name}`.*\|.*arXiv:", readme, re.M), name


def test_the_settings_of_a_routing_differ_from_one_another():
    for name, cls in ROUTINGS.items():
        whole = [signature(name).resolve(params) for params in cls.settings]
        assert all(whole.count(w) == 1 for w in whole), name


@every_setting
def test_it_says_where_it_comes_from_and_is_a_routing(setting):
    routing = routing_of(setting)
    assert isinstance(routing, Routing)
    assert routing.name == setting[0]
    assert routing.paper.startswith("arXiv:")
    assert routing.elementwise_flops(10) == 10 * routing.elementwise_flops(1) > 0


def test_every_equation_that_a_docstring_numbers_is_marked_where_it_is_computed():
    for name, cls in ROUTINGS.items():
        if name in {name for name, _ in SETTINGS}:
            named = set(re.findall(r"eq\. [\d-]+", cls.__doc__))
            tagged = set(re.findall(r"# \((eq\. [\d-]+)\)", inspect.getsource(cls)))
            assert tagged == named, name


@every_setting
def test_samples_and_tokens_do_not_mix_and_move_with_their_inputs(setting):
    routing, v, cond = random_routing(setting), outputs(batch=3, tokens=4), conditions(batch=3)
    h = reads(routing, v, cond)
    order = torch.tensor([2, 0, 1])
    moved = reads(routing, [x[order] for x in v], type(cond)(*(x[order] for x in cond)))
    for a, b in zip(h, moved, strict=True):
        torch.testing.assert_close(a[order], b, rtol=1e-12, atol=1e-13)
    turned = reads(routing, [x.flip(1) for x in v], cond)
    for a, b in zip(h, turned, strict=True):
        torch.testing.assert_close(a.flip(1), b, rtol=1e-12, atol=1e-13)
    touched = [x.clone() for x in v]
    for x in touched:
        x[1, 2] = NAN
    reached = torch.zeros(3, 4, dtype=torch.bool)
    reached[1, 2] = True
    for site, x in enumerate(reads(routing, touched, cond)):
        if setting[0] in MEAN_OVER_TOKENS and site:
            reached[1] = True
        assert torch.equal(x.isnan().any(-1), reached)


@every_setting
@pytest.mark.parametrize("sites", [8, 14])
def test_reads_and_every_gradient_in_float32_equal_float64(setting, sites):
    """The native kernels compute it, with sources and streams passed on by the verbs."""
    routing = routing_of(setting, sites)
    randomise(routing, 0.3)

    def passed(dtype):
        own = routing.to(dtype)
        v = [x.to(dtype).requires_grad_() for x in outputs(sites)]
        h = reads(own, v, conditions(dtype=dtype))
        weights = outputs(sites, seed=1)
        loss = sum((w.to(dtype) * x).sum() for w, x in zip(weights, h, strict=True))
        leaves = [*v, *own.parameters()]
        return [*h, *torch.autograd.grad(loss, leaves, allow_unused=True)]

    for a, b in zip(passed(torch.float32), passed(torch.float64), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert (a.double() - b).norm() <= 3e-4 * b.norm() + 1e-4


# In a model


def relative_difference(setting, randomised):
    """Largest difference to the output of `add` with the same trunk, over the largest output."""
    found = []
    for model in (sit(setting).double(), sit(ADD).double()):
        randomised(model)
        with torch.no_grad():
            found.append(model(*images()))
    variant, add = found
    return ((variant - add).abs().max() / add.abs().max()).item()


def test_dar_chunks_are_not_add_and_attnres_chunks_are():
    """Every closed chunk of DAR forgets all its outputs but the last."""
    declared = {
        (history, span): routing_of(("dar", {"history": history, "span": span})).equals_add
        for history, span in itertools.product(("chunk_last", "chunk_sum"), (1, 4, 8))
    }
    assert [k for k, v in declared.items() if v != "strong"] == [("chunk_last", 4)]


@every_setting
def test_equality_to_add_holds_within_the_models_own_eps(setting):
    if routing_of(setting).equals_add == "strong":
        assert relative_difference(setting, randomise_trunk) < 1e-4


@every_setting
def test_a_model_answers_the_same_with_and_without_gradients(setting):
    model = sit(setting)
    randomise(model)
    given = images(dtype=torch.float32)
    found = model(*given)
    with torch.no_grad():
        assert torch.equal(model(*given), found) and found.requires_grad


@every_setting
def test_a_model_treats_its_samples_one_by_one(setting):
    model = sit(setting).double()
    randomise(model)
    x, t, label = images(n=4)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        straight, moved = model(x, t, label), model(x[order], t[order], label[order])
    torch.testing.assert_close(straight[order], moved, rtol=1e-10, atol=1e-10)


def rows_of(name, parameter):
    """The routing's gradients are judged site by site: its leading axis is the site."""
    stacked = name.startswith("routing.") and parameter.dim() > 1 and "e_t" not in name
    return list(parameter.grad.abs()) if stacked else [parameter.grad.abs()]


def never_opened(model, steps=6):
    """Names of the parameters, with the row, that had no gradient to speak of in that time."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    x, t, label = map(torch.cat, zip(images(n=6), images(n=2), strict=True))
    t = (torch.arange(8, dtype=t.dtype) + 0.5) / 8  # one in every bin of a table over t
    largest: dict[str, float] = {}
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x, t, label) - x.roll(1, 0)).square().mean().backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                for row, gradient in enumerate(rows_of(name, parameter)):
                    key = f"{name}[{row}]"
                    largest[key] = max(largest.get(key, 0), gradient.max().item())
        optimizer.step()
    return {key for key, gradient in largest.items() if gradient < 1e-13}  # it grows from there


# Read parameters of site 0 that never matter: a softmax over one source is 1 whatever its logit.
DEAD = {
    "attnres": ("gain[0]", "w[0]"),
    "dar": ("gain[0]", "w[0]", "w_q[0]", "conditioner.coefficients[0]"),
    "mgr": ("w_a[0]",),
}


def stream_mixing_of_first_and_last_site(routing):
    """mHC's H_res where it cannot matter: alike streams stay alike under rows that sum to 1, and
    the head's sum of streams does not change under columns that sum to 1."""
    if routing.name != "mhc":
        return set()
    ends = (0, routing.sites - 1)
    rows = range(2 * routing.streams, len(routing.p[0]))  # those after reading and writing
    projections = {f"routing.p.{site}[{row}]" for site in ends for row in rows}
    return projections | {f"routing.b_res[{site}]" for site in ends}


@every_setting
def test_every_parameter_has_had_a_gradient_within_six_steps(setting):
    model = sit(setting).double()
    if setting[1].get("p_std") == 0:  # streams that start alike part too slowly to see
        randomise(model.routing, std=0.02)
    own = {name for name, _ in model.routing.named_parameters()}
    dead = {name for name in DEAD.get(setting[0], ()) if name.split("[")[0] in own}
    never = never_opened(model) - stream_mixing_of_first_and_last_site(model.routing)
    assert never == {f"routing.{name}" for name in dead}
