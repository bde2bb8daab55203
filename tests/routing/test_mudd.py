import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of


def mudd(sites=8):
    return routing_of(("mudd", {}), sites).double()


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def test_reads_are_those_of_the_equations_for_any_weights():
    routing, v = mudd(), outputs()
    randomise(routing)
    x, y, wanted = [v[0]], v[0], []
    for i in range(1, 5):
        wanted += [y, y + v[2 * i - 1]]
        x.append(y + v[2 * i - 1] + v[2 * i])
        normed = x[i] / (x[i].square().mean(-1, keepdim=True) + 1e-6).sqrt()
        hidden = gelu(normed @ routing.w1[i - 1].T)
        weights = hidden @ routing.w2[i - 1].T + routing.bias[i - 1]
        assert weights.shape[-1] == i + 1
        y = torch.einsum("btj,jbtd->btd", weights, torch.stack(x))
    torch.testing.assert_close(reads(routing, v), [*wanted, y], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("off", ["w1", "w2"])
def test_without_the_dynamic_part_it_is_denseformer_with_the_same_scalars(off):
    routing, v = mudd(), outputs()
    randomise(routing)
    for w in getattr(routing, off):
        w.data.zero_()
    denseformer = routing_of(("denseformer", {})).double()
    denseformer.load_state_dict({"alpha": torch.cat(list(routing.bias))})
    torch.testing.assert_close(reads(routing, v), reads(denseformer, v), rtol=1e-13, atol=1e-13)


def test_it_starts_as_add_with_weights_that_can_learn():
    routing, v = mudd(), outputs()
    found, wanted = reads(routing, v), reads(routing_of(("add", {})), v)
    torch.testing.assert_close(found, wanted, rtol=1e-14, atol=1e-14)
    assert all(w.any() for w in routing.w1) and not any(w.any() for w in routing.w2)


@pytest.mark.parametrize(("depth", "sources"), [(12, 90), (28, 434)])
def test_parameters_are_those_of_the_paper_with_one_way(depth, sources):
    squares = sum(n * n for n in range(2, depth + 2))
    count = sum(p.numel() for p in mudd(2 * depth).parameters())
    assert count == sources * (16 + 1) + squares
