"""torch's own FlopCounterMode is the oracle: it works every result out anew."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from darbench.data import kind
from darbench.metrics.cost import overhead
from darbench.model.outline import Outline
from darbench.registry import ROUTINGS
from darbench.trial.build import build_model
from tests.make.models import SETTINGS
from tests.make.trials import TINY

FEW = [0, 2**12, 2**30]  # nothing, some, and everything on the CPU


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_a_routing_costs_what_torch_counts(name, params):
    def walk():
        routing = ROUTINGS.get(name)(8, 24, **params)
        overhead._walk(routing, torch.empty(1, overhead.TOKENS, 24))

    with torch.device("meta"), FlopCounterMode(display=False) as oracle:
        walk()
    for few in FEW:
        with torch.no_grad(), torch.device("meta"), Outline(few) as outline:
            walk()
        assert outline.flops == oracle.get_total_flops()


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


@pytest.mark.parametrize("few", FEW)
def test_results_are_like_those_that_are_worked_out_every_time(few):
    x = torch.empty(5, 4, 6, device="meta")
    with FlopCounterMode(display=False) as oracle:
        expected = kinds(repeated(x))
    with torch.no_grad(), Outline(few) as outline:
        assert kinds(repeated(x)) == expected
    assert outline.flops == oracle.get_total_flops() > 0


def test_tensors_with_content_keep_it():
    with torch.no_grad(), Outline() as outline:
        found = [torch.ones(2, 2) @ torch.full((2, 2), float(i)) for i in (1, 2)]
    assert [x[0, 0].item() for x in found] == [2.0, 4.0] and outline.flops == 2 * 16


def test_a_model_is_outlined_in_the_form_that_it_has():
    with torch.device("meta"):
        plain = build_model("dar", {}, TINY, kind("digits"), seed=0)
        with Outline():
            outlined = build_model("dar", {}, TINY, kind("digits"), seed=0)
    assert kinds([*outlined.parameters()]) == kinds([*plain.parameters()])


def test_it_takes_no_random_numbers_from_others():
    before = torch.random.get_rng_state()
    with torch.device("meta"), Outline(2**30):
        torch.nn.init.normal_(torch.empty(3))
        torch.randn(4)
        torch.dropout(torch.empty(9), 0.5, train=True)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x @ x,
        lambda x: x + x[:, :2],
        lambda x: x.sum().item(),
        lambda x: torch.nn.init.normal_(x, std=-1.0),
        lambda x: torch.zeros(-1, device="meta"),
    ],
)
def test_what_torch_refuses_is_refused_with_its_own_words(wrong):
    x = torch.empty(3, 4, device="meta")
    with pytest.raises(RuntimeError) as refused:
        wrong(x)
    with pytest.raises(RuntimeError) as here, Outline():
        wrong(x)
    assert str(here.value) == str(refused.value)


@pytest.mark.parametrize(("name", "params"), SETTINGS)
def test_a_training_step_costs_what_torch_counts(name, params):
    """Forward and backward, attention among it."""
    with torch.device("meta"):
        model = build_model(name, params, TINY, kind("digits"), seed=0)
        given = torch.empty(4, 1, 8, 8), torch.empty(4), torch.zeros(4, dtype=torch.long)
        with FlopCounterMode(display=False) as oracle:
            model(*given).sum().backward()
        with Outline() as outline:
            model(*given).sum().backward()
    assert outline.flops == oracle.get_total_flops() > 0
