"""torch's own FlopCounterMode is the oracle: it works every result out anew."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from darbench.metrics.cost import overhead
from darbench.metrics.cost.counter import ForwardCounter
from darbench.registry import ROUTINGS
from tests.make.models import SETTINGS


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_a_routing_costs_what_torch_counts(name, params):
    def walk():
        routing = ROUTINGS.get(name)(8, 24, **params)
        overhead._walk(routing, torch.empty(1, overhead.TOKENS, 24))

    with torch.device("meta"), FlopCounterMode(display=False) as oracle:
        walk()
    with torch.no_grad(), torch.device("meta"), ForwardCounter() as counter:
        walk()
    assert counter.total == oracle.get_total_flops()


def repeated(x: torch.Tensor) -> list[torch.Tensor]:
    """Operations of every form on the same shapes, several times over."""
    made = []
    for _ in range(3):
        y = x @ x.mT  # twice the same product
        y += 1.0  # changes its tensor
        half, _ = y.split(2, dim=-1)  # views, and two results
        top, index = torch.topk(half, 1)
        joined = torch.cat([half, half, top], dim=-1)  # a list
        made += [
            y,
            half,
            joined,
            index,
            torch.nn.functional.scaled_dot_product_attention(x, x, x),
            torch.einsum("bij,bkj->bik", x, x[:, :2]),
            x.to(torch.float64),
            torch.softmax(x.transpose(1, 2), dim=-1),
        ]
    return made


def kinds(made: list[torch.Tensor]) -> list[tuple]:
    return [(x.shape, x.stride(), x.dtype, x.device) for x in made]


def test_results_are_like_those_that_are_worked_out_every_time():
    x = torch.empty(5, 4, 6, device="meta")
    with FlopCounterMode(display=False) as oracle:
        expected = kinds(repeated(x))
    with torch.no_grad(), ForwardCounter() as counter:
        assert kinds(repeated(x)) == expected
    assert counter.total == oracle.get_total_flops() > 0


def test_tensors_with_content_keep_it():
    with torch.no_grad(), ForwardCounter() as counter:
        found = [torch.ones(2, 2) @ torch.full((2, 2), float(i)) for i in (1, 2)]
    assert [x[0, 0].item() for x in found] == [2.0, 4.0] and counter.total == 2 * 16
