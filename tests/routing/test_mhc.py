import math

import pytest
import torch
from torch import softmax

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of

SINKHORN = {"streams": 4}
PERMUTATIONS = {"streams": 3, "form": "permutations"}
every_form = pytest.mark.parametrize("params", [SINKHORN, PERMUTATIONS, {"streams": 1}], ids=str)


def mhc(params, sites=8):
    return routing_of(("mhc", params), sites).double()


def random_mhc(params):
    routing = mhc(params)
    randomise(routing)
    return routing


def states(routing, v):
    made = [routing.begin(v[0], None)]
    for site in range(routing.sites):
        made.append(routing.write(made[-1], site, v[site + 1]))
    return made


def maps(routing, v):
    """The maps of every site, as its read makes them."""
    return [
        routing.take(state, site)[1].maps for site, state in enumerate(states(routing, v)[:-1])
    ]


def mixing(routing, logits):
    """H_res by the definition: Sinkhorn of the exponential, or a mixture of permutations."""
    n = routing.streams
    if routing.form == "permutations":
        weights = softmax(logits, dim=-1)
        return sum(weights[..., k, None, None] * p for k, p in enumerate(routing.vertices))
    m = logits.unflatten(-1, (n, n)).exp()
    for _ in range(routing.iterations):
        m = m / m.sum(-2, keepdim=True)
        m = m / m.sum(-1, keepdim=True)
    return m


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


@every_form
def test_reads_are_those_of_the_recursion_for_any_weights(params):
    routing, v, n = random_mhc(params), outputs(), params["streams"]
    x, wanted = torch.stack([v[0]] * n, dim=2), []
    for site in range(8):
        flat = x.flatten(2)
        normed = flat / (flat.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        raw = normed @ routing.p[site].T
        a = routing.a[site]
        pre = sigmoid(a[0] * raw[..., :n] + routing.b_pre[site])
        post = 2 * sigmoid(a[1] * raw[..., n : 2 * n] + routing.b_post[site])
        res = mixing(routing, a[2] * raw[..., 2 * n :] + routing.b_res[site].flatten())
        wanted.append(torch.einsum("bts,btsd->btd", pre, x))
        x = torch.einsum("btij,btjd->btid", res, x) + post[..., None] * v[site + 1][:, :, None]
    torch.testing.assert_close(reads(routing, v), [*wanted, x.sum(2)], rtol=1e-10, atol=1e-10)


@every_form
def test_mixing_is_doubly_stochastic_and_reading_and_writing_are_bounded(params):
    routing = random_mhc(params)
    for read, mix, write in maps(routing, outputs()):
        assert (mix >= 0).all()
        assert (mix.sum(-1) - 1).abs().max() < 1e-13
        exact = routing.form == "permutations"  # of Sinkhorn's, the columns are within tolerance
        assert (mix.sum(-2) - 1).abs().max() < (1e-13 if exact else 5e-2)
        assert (read > 0).all() and (read < 1).all()
        assert (write > 0).all() and (write < 2).all()


@pytest.mark.parametrize("params", [SINKHORN, PERMUTATIONS], ids=str)
def test_maps_are_in_float32_under_autocast(params):
    routing, v = random_mhc(params).float(), outputs(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for site, state in enumerate(states(routing, v)[:-1]):
            h, taken = routing.take(state, site)
            tensors = (h, *taken.streams, *taken.maps)
            assert {x.dtype for x in tensors} == {torch.float32}
            assert (taken.maps.mix.sum(-1) - 1).abs().max() < 1e-6


@every_form
def test_without_projections_fresh_streams_stay_alike_and_are_add(params):
    routing, v, n = mhc({**params, "p_std": 0.0}), outputs(), params["streams"]
    for state in states(routing, v):
        alike = state.streams.value[..., :1, :].expand_as(state.streams.value)
        torch.testing.assert_close(state.streams.value, alike, rtol=1e-13, atol=1e-13)
    *found, head = reads(routing, v)
    *wanted, total = reads(routing_of(("add", {})), v)
    read = sigmoid(torch.tensor(1.0)) + (n - 1) * sigmoid(torch.tensor(-1.0))
    torch.testing.assert_close(found, [read.item() * h for h in wanted], rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(head, n * total, rtol=1e-12, atol=1e-12)


@every_form
def test_alike_streams_stay_alike_for_any_reads_and_mixing(params):
    """Only writes may make them differ."""
    routing, v = random_mhc(params), outputs()
    state = routing.begin(v[0], None)
    mixed = routing.write(state, 0, torch.zeros_like(v[1]))
    torch.testing.assert_close(mixed.streams.value, state.streams.value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("params", [SINKHORN, PERMUTATIONS], ids=str)
def test_small_random_projections_let_the_streams_part(params):
    routing, v = mhc(params), outputs()
    streams = states(routing, v)[-1].streams.value
    apart = (streams - streams.mean(2, keepdim=True)).norm() / streams.norm()
    assert 1e-6 < apart < 1e-2


def test_mixing_starts_near_the_identity():
    v = outputs()
    for params, off in ((SINKHORN, -8.0), (PERMUTATIONS, -8.0), (SINKHORN, -2.0)):
        (_, mixing, _), *_ = maps(mhc({**params, "p_std": 0.0, "off": off}), v)
        mix = mixing[0, 0].detach()
        if params is SINKHORN:  # symmetric, so one division does it
            share = 1 / (1 + 3 * math.exp(off))
        else:
            share = (1 + math.exp(off)) / (1 + 5 * math.exp(off))  # one other fixes a stream
        assert mix.diagonal() == pytest.approx([share] * len(mix), rel=1e-6)


def test_initial_values_read_each_stream_in_turn():
    routing = mhc(SINKHORN)
    own = [b.argmax().item() for b in routing.b_pre]
    assert own == [0, 1, 2, 3, 0, 1, 2, 3]
    assert (routing.b_pre.abs() == 1).all() and (routing.b_pre.sum(1) == -2).all()
    assert not routing.b_post.any() and torch.allclose(routing.a, torch.full_like(routing.a, 0.01))
    weights = torch.stack(list(routing.p))
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
    assert not any(p.any() for p in mhc({"p_std": 0.0}).p)


@pytest.mark.parametrize("n", [2, 4])
def test_parameters_of_a_site_are_the_papers(n):
    count = sum(p.numel() for p in mhc({"streams": n}, sites=6).parameters())
    assert count == 6 * (n * 16 * (n**2 + 2 * n) + n**2 + 2 * n + 3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"streams": 0}, "streams=0"),
        ({"iterations": 0}, "iterations=0"),
        ({"streams": 6, "form": "permutations"}, "at most 5"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        mhc(params)
