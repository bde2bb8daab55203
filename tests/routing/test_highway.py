import math

import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of

every_form = pytest.mark.parametrize("form", ["scalar", "full"])


def highway(form, **params):
    return routing_of(("highway", {"form": form, **params})).double()


@every_form
def test_reads_are_those_of_the_recursion_for_any_weights(form):
    routing, v = highway(form), outputs()
    randomise(routing, std=1.0)
    wanted = [v[0]]
    for site in range(8):
        s = wanted[-1]
        normed = torch.nn.functional.layer_norm(s, (16,), eps=1e-6)
        gate = 1 / (1 + torch.exp(-(normed @ routing.w[site].T + routing.b[site])))
        assert gate.shape[-1] == (16 if form == "full" else 1)
        wanted.append((1 - gate) * s + gate * v[site + 1])
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-12, atol=1e-12)


@every_form
@pytest.mark.parametrize("bias", [-1.0, -4.0])
def test_fresh_gates_weigh_an_output_e_to_the_bias_against_the_stream(form, bias):
    """So that, but for its size, the stream after one site is v_0 + e^bias v_1."""
    v = outputs()
    found = reads(highway(form, bias=bias), v)[1]
    wanted = (v[0] + math.exp(bias) * v[1]) / (1 + math.exp(bias))
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)


@every_form
def test_gates_far_open_take_the_output_and_far_shut_keep_the_stream(form):
    v = outputs()
    for h, x in zip(reads(highway(form, bias=60.0), v), v, strict=True):
        torch.testing.assert_close(h, x, rtol=1e-12, atol=1e-12)
    for h in reads(highway(form, bias=-60.0), v):
        torch.testing.assert_close(h, v[0], rtol=1e-12, atol=1e-12)


@every_form
def test_a_step_stays_between_stream_and_output(form):
    routing, v = highway(form), outputs()
    randomise(routing, std=3.0)
    h = reads(routing, v)
    for before, after, x in zip(h, h[1:], v[1:], strict=False):
        assert (after >= torch.minimum(before, x) - 1e-12).all()
        assert (after <= torch.maximum(before, x) + 1e-12).all()
