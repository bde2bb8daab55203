import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of
from tests.routing.by_attention import attend
from tests.routing.source_sets import source_sets

PARAMS = [{}, {"null": True}, {"form": "block", "span": 3}, {"form": "block", "null": True}]
every_form = pytest.mark.parametrize("params", PARAMS, ids=str)


def delta(**params):
    return routing_of(("delta_attnres", params)).double()


def sources_of(params, reader, v):
    history = "chunk_sum" if "form" in params else "full"
    sets = source_sets(history, params.get("span", 4), 8, reader)
    null = [torch.zeros_like(v[0])] if params.get("null") else []
    return [sum(v[i] for i in source) for source in sets] + null


@every_form
def test_reads_are_the_sum_and_torchs_attention_over_the_outputs(params):
    routing, v = delta(**params), outputs()
    randomise(routing)
    wanted = [v[0]]
    for reader in range(2, 9):
        q = routing.gain[reader - 2] * routing.w[reader - 2]
        wanted.append(sum(v[:reader]) + attend(q, sources_of(params, reader, v), 1.0))
    wanted.append(sum(v))  # the head reads the stream alone
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-12, atol=1e-12)


@every_form
def test_fresh_reads_are_add_but_for_their_size(params):
    routing, v = delta(**params), outputs()
    for reader, h in enumerate(reads(routing, v), start=1):
        n = len(sources_of(params, reader, v))
        size = 1 if reader in (1, 9) else 1 + 1 / n
        torch.testing.assert_close(h, size * sum(v[:reader]), rtol=1e-12, atol=1e-12)


def test_a_null_source_lets_a_reader_take_less_than_one():
    """With a query far from every output, nearly nothing is added to the sum."""
    v = [torch.ones(1, 1, 16, dtype=torch.float64) for _ in range(9)]
    for null, added in ((False, 1.0), (True, 0.0)):
        routing = delta(null=null)
        torch.nn.init.constant_(routing.w, -10.0)
        for reader, h in enumerate(reads(routing, v)[1:-1], start=2):
            torch.testing.assert_close(h, (reader + added) * v[0], rtol=1e-9, atol=1e-9)


def test_the_first_site_and_the_head_have_no_reader():
    assert delta().w.shape == delta().gain.shape == (7, 16)
