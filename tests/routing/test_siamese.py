import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of

EPS = 1e-6


def norm(x, layer):
    centred = x - x.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + EPS).sqrt()
    return layer.weight * normed + layer.bias


def random_siamese():
    routing = routing_of(("siamese", {})).double()
    randomise(routing)
    return routing


def test_reads_are_those_of_the_recursion_for_any_norms():
    routing, v = random_siamese(), outputs()
    u, y, wanted = v[0], v[0], []
    for site in range(9):
        u = norm(u, routing.norm_a[site])
        wanted.append(u + norm(y, routing.norm_b[site]))
        if site < 8:
            block = site // 2
            u, y = u + v[site + 1] / (2 * (block + 1)) ** 0.5, y + v[site + 1]
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-11, atol=1e-11)


def test_the_pre_stream_is_the_plain_sum():
    routing, v = random_siamese(), outputs()
    state = routing.begin(v[0], None)
    for site in range(8):
        state = routing.write(state, site, v[site + 1])
    torch.testing.assert_close(state.pre, sum(v), rtol=1e-13, atol=1e-13)


def test_both_sublayers_of_a_block_shrink_alike_and_later_blocks_more():
    routing, zero = routing_of(("siamese", {})).double(), torch.zeros(1, 1, 16).double()
    x = zero.clone()
    x[..., 0] = 1e-6  # small against eps, so that a norm only centres and divides by sqrt(eps)
    start = routing.begin(zero, None)
    found = [routing.write(start, site, x).post[0, 0, 0].item() for site in range(8)]
    wanted = [1e-6 * (1 - 1 / 16) / (EPS * 2 * block) ** 0.5 for block in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert found == pytest.approx(wanted, rel=1e-6)


def test_every_site_and_the_head_have_two_norms_with_weight_one_and_bias_zero():
    routing = routing_of(("siamese", {}))
    assert len(routing.norm_a) == len(routing.norm_b) == 9
    for name, parameter in routing.named_parameters():
        assert parameter.shape == (16,)
        assert (parameter == (1 if name.endswith("weight") else 0)).all()
