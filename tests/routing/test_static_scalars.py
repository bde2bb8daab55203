import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of


def static(sites=8):
    return routing_of(("static_scalars", {}), sites).double()


def rows_of(routing):
    """The scalars a_l of each reader l = 1 .. sites + 1."""
    rows, start = [], 0
    for reader in range(1, routing.sites + 2):
        rows.append(routing.a[start : start + reader])
        start += reader
    assert start == len(routing.a)
    return rows


def test_reads_are_the_weighted_sums_for_any_scalars():
    routing, v = static(), outputs()
    randomise(routing, std=1.0)
    wanted = [torch.einsum("j,jbtd->btd", a, torch.stack(v[: len(a)])) for a in rows_of(routing)]
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-12, atol=1e-12)


def test_ones_are_add():
    v = outputs()
    assert (static().a == 1).all()
    found, wanted = reads(static(), v), reads(routing_of(("add", {})), v)
    torch.testing.assert_close(found, wanted, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("sites", "count"), [(24, 325), (56, 1653)])
def test_there_is_a_scalar_for_every_pair_of_reader_and_source(sites, count):
    assert static(sites).a.numel() == count
