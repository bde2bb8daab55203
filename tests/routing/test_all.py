"""What holds for every built-in routing in every setting that its class names."""

import inspect
import itertools
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from darbench.model import sublayers
from darbench.registry import ROUTINGS, signature
from darbench.routing.base import Routing
from tests.builders import (
    SETTINGS,
    conditions,
    images,
    name_of,
    outputs,
    randomise,
    randomise_trunk,
    reads,
    routing_of,
    sit,
)

every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=name_of)

precisions = pytest.mark.parametrize(
    "autocast", [False, True], ids=["float32", "bfloat16 autocast"]
)

ROOT = Path(__file__).parents[2]
ADD = ("add", {})
NAN = float("nan")

# Mix the tokens of a sample, by their definition, from the first write on.
MEAN_OVER_TOKENS = {"mvsplit"}


def random_routing(setting, dtype=torch.float64, std=0.5):
    routing = routing_of(setting).to(dtype)
    randomise(routing, std)
    return routing


def tensors(state):
    """All tensors of a state, which is a tensor or a tuple of states."""
    if isinstance(state, Tensor):
        return [state]
    assert isinstance(state, tuple), f"a state holds no {type(state).__name__}"
    return [tensor for part in state for tensor in tensors(part)]


def states(routing, v, cond):
    """The state before every site and before the head."""
    made = [routing.begin(v[0], cond)]
    for site in range(routing.sites):
        made.append(routing.write(made[-1], site, v[site + 1]))
    return made


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


# The verbs


@every_setting
def test_a_state_is_tensors_in_tuples_without_a_list(setting):
    for state in states(random_routing(setting), outputs(), conditions()):
        assert tensors(state)


@every_setting
def test_verbs_change_nothing_and_a_read_can_be_repeated(setting):
    routing, v, cond = random_routing(setting), outputs(), conditions()
    given = [x.clone() for x in (*v, *cond)]
    own = {key: value.clone() for key, value in routing.state_dict().items()}
    fields = set(vars(routing))
    made = [routing.begin(v[0], cond)]
    copies = [[x.clone() for x in tensors(made[0])]]
    h = []
    for site in range(routing.sites):
        h.append(routing.read(made[-1], site))
        made.append(routing.write(made[-1], site, v[site + 1]))
        copies.append([x.clone() for x in tensors(made[-1])])
    for state, copy in zip(made, copies, strict=True):
        assert all(map(torch.equal, tensors(state), copy))
    for site, before in enumerate(h):  # again, last site first and after all the writes
        assert torch.equal(routing.read(made[site], site), before)
    assert all(map(torch.equal, (*v, *cond), given))
    assert all(torch.equal(value, own[key]) for key, value in routing.state_dict().items())
    assert set(vars(routing)) == fields


@every_setting
def test_two_passes_at_once_do_not_meet(setting):
    routing, cond = random_routing(setting), conditions()
    one, two = outputs(seed=1), outputs(seed=2)
    alone = reads(routing, one, cond), reads(routing, two, cond)
    a, b, h = routing.begin(one[0], cond), routing.begin(two[0], cond), ([], [])
    for site in range(routing.sites):
        h[0].append(routing.read(a, site))
        h[1].append(routing.read(b, site))
        a, b = routing.write(a, site, one[site + 1]), routing.write(b, site, two[site + 1])
    for met, kept in zip(h, alone, strict=True):
        assert all(map(torch.equal, met, kept))


@every_setting
def test_a_read_depends_on_the_past_alone_and_always_on_the_newest_output(setting):
    routing, v, cond = random_routing(setting), outputs(), conditions()
    before = reads(routing, v, cond)
    for i in range(1, len(v)):
        changed = list(v)
        changed[i] = v[i] + 1
        after = reads(routing, changed, cond)
        assert all(map(torch.equal, before[:i], after[:i]))
        assert not torch.equal(before[i], after[i])


@every_setting
def test_a_read_depends_on_exactly_the_declared_sources(setting):
    routing, cond = random_routing(setting), conditions()
    v = [x.requires_grad_() for x in outputs()]
    for site, (h, weight) in enumerate(zip(reads(routing, v, cond), outputs(seed=1), strict=True)):
        gradients = torch.autograd.grad(
            (weight * h).sum(), v, retain_graph=True, materialize_grads=True
        )
        matter = {i for i, gradient in enumerate(gradients) if gradient.abs().max() > 0}
        assert matter == routing.sources(site)


@every_setting
def test_reads_depend_on_exactly_the_declared_conditions(setting):
    routing, v, cond = random_routing(setting), outputs(), conditions()
    others = {
        "time": cond._replace(time=1 - cond.time, t=-cond.t),
        "label": cond._replace(label=cond.label + 1, y=-cond.y),
        "their sum": cond._replace(c=-cond.c),
    }
    before = reads(routing, v, cond)
    matter = {
        name
        for name, other in others.items()
        if not all(map(torch.equal, reads(routing, v, other), before))
    }
    assert matter == routing.conditioned_on


@every_setting
@pytest.mark.parametrize(("depth", "width"), [(2, 32), (3, 16), (12, 32)])
def test_other_depths_and_widths_read_and_learn(setting, depth, width):
    routing = routing_of(setting, 2 * depth, width).double()
    randomise(routing)
    v = [x.requires_grad_() for x in outputs(2 * depth, width=width)]
    h = reads(routing, v)
    assert len(h) == 2 * depth + 1
    assert all(x.shape == v[0].shape and x.isfinite().all() for x in h)
    gradients = torch.autograd.grad(sum(x.square().sum() for x in h), v)
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


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
@precisions
def test_exactly_zero_outputs_have_finite_reads_and_gradients(setting, autocast):
    routing, cond = random_routing(setting, torch.float32), conditions(dtype=torch.float32)
    v = [x.zero_().requires_grad_() for x in outputs(dtype=torch.float32)]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        h = reads(routing, v, cond)
        loss = sum((x - 1).square().mean() for x in h)
    loss.backward()
    for leaf in (*v, *routing.parameters()):
        assert leaf.grad is None or leaf.grad.isfinite().all()


@every_setting
@pytest.mark.parametrize("sites", [8, 14])
def test_reads_and_every_gradient_in_float32_equal_float64(setting, sites):
    """What trains on a CPU: the native kernels, and how the verbs hand sources and streams on."""
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


@every_setting
def test_reads_under_bfloat16_autocast_are_close_to_float64(setting):
    routing, v = random_routing(setting, torch.float32), outputs(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = reads(routing, v, conditions(dtype=torch.float32))
    high = reads(routing.double(), [x.double() for x in v], conditions())
    for a, b in zip(low, high, strict=True):
        assert (a.double() - b).norm() < 0.05 * b.norm()


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


def shut_gates(model):
    """A random trunk whose adaLN gates are all zero."""
    randomise_trunk(model)
    for block in model.blocks:
        for parameter in block.adaLN_modulation[1].parameters():
            gates = parameter.data.unflatten(0, (6, -1))
            gates[[2, 5]] = 0


@every_setting
def test_the_declared_equality_to_add_is_what_is_measured(setting, monkeypatch):
    monkeypatch.setattr(sublayers, "EPS", 1e-12)  # LayerNorm's eps is no part of the theorem
    strong = relative_difference(setting, randomise_trunk)
    weak = relative_difference(setting, shut_gates)
    declared = routing_of(setting).equals_add
    assert weak < 1e-6 or declared == "no"
    if declared == "strong":
        assert strong < 1e-8
    else:
        # Far from equal, not noise. mHC with small random projections parts from `add` by 1e-3.
        assert strong > (1e-4 if setting[0] == "mhc" else 1e-2)


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
@precisions
def test_a_fresh_model_answers_exactly_zero_and_learns_from_there(setting, autocast):
    """Also under autocast, where embedding and sublayer outputs are of different precision."""
    model = sit(setting)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        out = model(*images(dtype=torch.float32))
        assert (out == 0).all()
        (out - 1).square().mean().backward()
    assert model.final_layer.linear.weight.grad.abs().max() > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


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
