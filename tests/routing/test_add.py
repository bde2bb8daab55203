import torch

from darbench.testing.inputs import outputs, reads
from tests.make.models import routing_of


def test_every_reader_sees_the_sum_of_all_that_came_before():
    v = outputs(sites=8)
    h = torch.stack(reads(routing_of(("add", {})), v))
    torch.testing.assert_close(h, torch.stack(v).cumsum(0), rtol=0, atol=1e-14)


def test_it_has_no_parameters_and_costs_one_addition_a_site():
    add = routing_of(("add", {}), sites=8, width=16)
    assert list(add.parameters()) == []
    assert add.elementwise_flops(tokens=5) == 8 * 5 * 16
