import pytest
import torch
from torch.nn.functional import layer_norm

from darbench.testing.inputs import outputs, reads
from tests.make.models import routing_of


def deepnorm(alpha=None, sites=8):
    return routing_of(("deepnorm", {"alpha": alpha}), sites).double()


def normed(x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_reads_are_those_of_the_recursion(alpha):
    v = outputs()
    wanted = [normed(v[0])]
    for x in v[1:]:
        wanted.append(normed(alpha * wanted[-1] + x))
    torch.testing.assert_close(reads(deepnorm(alpha), v), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("depth", "alpha"), [(12, 2.213), (24, 2.632), (28, 2.736)])
def test_alpha_is_the_papers_of_an_encoder_unless_given(depth, alpha):
    assert deepnorm(sites=2 * depth).alpha == pytest.approx(alpha, abs=5e-4)
    assert deepnorm(alpha=1.5, sites=2 * depth).alpha == 1.5


def test_a_huge_alpha_leaves_the_normed_embedding():
    v = outputs()
    wanted = layer_norm(v[0], (16,), eps=1e-6)
    for h in reads(deepnorm(1e9), v):
        torch.testing.assert_close(h, wanted, rtol=1e-5, atol=1e-5)


def test_the_stream_keeps_unit_size_however_deep():
    for h in reads(deepnorm(sites=56), outputs(sites=56)):
        torch.testing.assert_close(
            h.square().mean(-1), torch.ones_like(h[..., 0]), rtol=1e-3, atol=0
        )


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_alpha_is_positive(alpha):
    with pytest.raises(ValueError, match="must be positive"):
        deepnorm(alpha)
