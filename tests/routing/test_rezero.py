import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of, sit

every_share = pytest.mark.parametrize("share", ["block", "sublayer"])


def rezero(share, sites=8):
    return routing_of(("rezero", {"share": share}), sites).double()


@every_share
def test_reads_are_those_of_the_recursion_for_any_scalars(share):
    routing, v = rezero(share), outputs()
    randomise(routing)
    a = routing.a.repeat_interleave(8 // len(routing.a))  # one for each site
    wanted = [v[0]]
    for site in range(8):
        wanted.append(wanted[-1] + a[site] * v[site + 1])
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-14, atol=1e-14)


@every_share
def test_scalars_of_one_are_add_and_scalars_start_at_zero(share):
    routing, v = rezero(share), outputs()
    assert (routing.a == 0).all()
    assert all(torch.equal(h, v[0]) for h in reads(routing, v))
    torch.nn.init.ones_(routing.a)
    assert all(map(torch.equal, reads(routing, v), reads(routing_of(("add", {})), v)))


@pytest.mark.parametrize(("share", "count"), [("block", 12), ("sublayer", 24)])
def test_a_scalar_belongs_to_a_block_or_to_a_sublayer(share, count):
    assert rezero(share, sites=24).a.shape == (count,)


def test_zero_scalars_do_not_meet_zero_gates():
    """Both factors at zero would have no gradient, for ever."""
    model = sit(("rezero", {}))
    assert model.routing.gate == "one_plus"
    torch.nn.init.normal_(model.final_layer.linear.weight)
    image = torch.randn(2, 3, 8, 8)
    model(image, torch.rand(2), torch.arange(2)).square().mean().backward()
    assert (model.routing.a.grad != 0).all()
