import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of


def layerscale(**params):
    return routing_of(("layerscale", params)).double()


def test_reads_are_those_of_the_recursion_for_any_scales():
    routing, v = layerscale(), outputs()
    randomise(routing)
    wanted = [v[0]]
    for scale, x in zip(routing.scale, v[1:], strict=True):
        wanted.append(wanted[-1] + scale * x)
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-14, atol=1e-14)


def test_scales_of_one_are_add_to_the_last_bit():
    v = outputs()
    assert all(map(torch.equal, reads(layerscale(), v), reads(routing_of(("add", {})), v)))


@pytest.mark.parametrize("init", [1.0, 0.1, 1e-6])
def test_every_channel_of_every_site_starts_at_init(init):
    scale = layerscale(init=init).scale
    assert scale.shape == (8, 16)
    torch.testing.assert_close(scale, torch.full_like(scale, init), rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("params", "gate", "equality"),
    [
        ({}, "adaln", "strong"),
        ({"init": 0.1}, "adaln", "weak"),
        ({"init": 0.1, "one_plus": True}, "one_plus", "no"),
        ({"init": 0.0, "one_plus": True}, "one_plus", "weak"),
        ({"one_plus": True}, "one_plus", "no"),
    ],
)
def test_the_gates_form_decides_what_equals_add(params, gate, equality):
    assert (layerscale(**params).gate, layerscale(**params).equals_add) == (gate, equality)
