import pytest
import torch
from attn_res import AttnResOperator

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of
from tests.routing.by_attention import attend
from tests.routing.source_sets import source_sets

FORMS = [{}, *({"form": "block", "span": span} for span in (1, 3, 4, 8))]
every_form = pytest.mark.parametrize("params", FORMS, ids=str)


def random_attnres(**params):
    routing = routing_of(("attnres", params)).double()
    randomise(routing)
    return routing


def sources_of(params, reader, v):
    """The sources by definition: v_0 and the outputs, or the blocks' sums, the open one last."""
    history = "chunk_sum" if "form" in params else "full"
    sets = source_sets(history, params.get("span", 4), 8, reader)
    return [sum(v[i] for i in source) for source in sets]


@every_form
@pytest.mark.parametrize("heads", [1, 4, 16])
def test_every_read_and_gradient_equals_torchs_attention_without_its_scale(params, heads):
    routing, v = random_attnres(heads=heads, **params), outputs()
    leaves = [*routing.parameters(), *(x.requires_grad_() for x in v)]
    q, weights = routing.gain * routing.w, outputs(seed=1)
    wanted = [attend(q[r - 1], sources_of(params, r, v), 1.0, heads) for r in range(1, 10)]
    found = reads(routing, v)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    gradients = [
        torch.autograd.grad(sum((w * x).sum() for w, x in zip(weights, h, strict=True)), leaves)
        for h in (found, wanted)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@every_form
def test_every_read_equals_the_packages_operator(params):
    """The package's operator has no gain and computes in float32."""
    routing, v = random_attnres(**params), outputs()
    operator = AttnResOperator(16)
    for reader, h in enumerate(reads(routing, v), start=1):
        row = reader - 1
        operator.pseudo_query.data = (routing.gain[row] * routing.w[row]).float()
        sources = torch.stack(sources_of(params, reader, v)).float()
        torch.testing.assert_close(operator(sources).double(), h, rtol=1e-4, atol=1e-5)


@every_form
def test_fresh_reads_are_the_sum_so_far_but_for_its_size(params):
    routing, v = routing_of(("attnres", params)).double(), outputs()
    assert (routing.w == 0).all() and (routing.gain == 1).all()
    for reader, h in enumerate(reads(routing, v), start=1):
        count = len(sources_of(params, reader, v))
        torch.testing.assert_close(count * h, sum(v[:reader]), rtol=1e-12, atol=1e-12)


def test_it_is_dar_without_the_scale():
    routing, v = random_attnres(), outputs()
    dar = routing_of(("dar", {"query": "static", "history": "full"})).double()
    dar.load_state_dict({"w": 4 * routing.w, "gain": routing.gain})  # 4 = sqrt(16)
    torch.testing.assert_close(reads(routing, v), reads(dar, v), rtol=1e-12, atol=1e-13)


def test_a_read_is_a_convex_mixture_of_its_sources():
    routing, v = random_attnres(), outputs()
    for reader, h in enumerate(reads(routing, v), start=1):
        stacked = torch.stack(v[:reader])
        assert (h >= stacked.amin(0) - 1e-12).all() and (h <= stacked.amax(0) + 1e-12).all()


def test_each_head_weighs_the_sources_by_its_own_channels():
    routing, v = random_attnres(heads=4), outputs()
    before = reads(routing, v)[-1]
    routing.w.data[-1, :4] += 1.0
    changed = (reads(routing, v)[-1] != before).flatten(0, 1).any(0)
    assert changed.tolist() == [True] * 4 + [False] * 12


@pytest.mark.parametrize("name", ["attnres", "delta_attnres", "dar"])
def test_the_multiplier_is_for_the_queries_not_for_the_gains(name):
    routing = routing_of((name, {"lr_mult": 10.0}))
    rates = {id(p): g["lr_mult"] for g in routing.parameter_groups() for p in g["params"]}
    for key, parameter in routing.named_parameters():
        assert rates[id(parameter)] == (1.0 if key == "gain" else 10.0), key


@pytest.mark.parametrize(
    ("params", "message"), [({"span": 0}, "span=0"), ({"heads": 3}, "heads=3")]
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        routing_of(("attnres", params))
