import math

import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of
from tests.routing.by_attention import attend


def mgr(streams=4, sites=8):
    return routing_of(("mgr", {"streams": streams}), sites).double()


def random_mgr(streams):
    routing = mgr(streams)
    randomise(routing, std=1.0)
    return routing


@pytest.mark.parametrize("streams", [1, 3, 4])
def test_reads_are_torchs_attention_over_the_streams_of_the_recursion(streams):
    routing, v = random_mgr(streams), outputs()
    s, wanted = [v[0]], []
    for site in range(9):
        wanted.append(attend(routing.w_a[site], s, 1 / math.sqrt(16)))
        if site == 8:
            break
        x = v[site + 1]
        if len(s) < streams:
            s.append(x)
            continue
        row = site - (streams - 1)  # the sites that only fill streams have no gates
        w_b, bias = routing.w_b[row], routing.bias[row]
        for i, stream in enumerate(s):
            normed = stream / (stream.square().mean(-1, keepdim=True) + 1e-6).sqrt()
            b = 1 / (1 + torch.exp(-((normed @ w_b) / 4 + bias[i])))[..., None]
            s[i] = (1 - b) * stream + b * x
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-11, atol=1e-11)


def test_reads_are_convex_mixtures_of_all_that_came_before():
    v = outputs()
    for site, h in enumerate(reads(random_mgr(3), v)):
        seen = torch.stack(v[: site + 1])
        assert (h >= seen.amin(0) - 1e-12).all() and (h <= seen.amax(0) + 1e-12).all()


def test_the_first_outputs_become_the_streams():
    routing, v = random_mgr(4), outputs()
    state = routing.begin(v[0], None)
    for site in range(3):
        state = routing.write(state, site, v[site + 1])
    assert all(torch.equal(s.value, x) for s, x in zip(state.streams, v[:4], strict=True))
    assert len(routing.write(state, 3, v[4]).streams) == 4


@pytest.mark.parametrize(("sites", "streams"), [(8, 4), (24, 4), (56, 2)])
def test_initial_gates_are_those_of_the_accounts_formula(sites, streams):
    mixed = sites + 1 - streams
    routing = mgr(streams, sites)
    wanted = 1 / (1 + math.sqrt(mixed / 21) * (math.exp(3) + 1) - streams)
    gates = torch.sigmoid(routing.bias)
    torch.testing.assert_close(gates, torch.full_like(gates, wanted), rtol=1e-5, atol=0)
    assert not routing.w_a.any() and not routing.w_b.any()
    assert routing.w_a.shape == (sites + 1, 16)
    assert routing.w_b.shape == (mixed, 16) and routing.bias.shape == (mixed, streams)


@pytest.mark.parametrize(("sites", "streams"), [(8, 0), (8, 9), (24, 24), (8, 8)])
def test_too_many_streams_are_refused(sites, streams):
    with pytest.raises(ValueError, match=f"streams={streams}"):
        mgr(streams, sites)
