import pytest
import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of

PERIOD_DILATION = [(1, 1), (1, 2), (1, 4), (3, 1), (3, 2), (2, 3), (4, 5)]


def denseformer(period, dilation, sites=16):
    setting = ("denseformer", {"period": period, "dilation": dilation})
    return routing_of(setting, sites).double()


def by_the_equations(alpha, v, period, dilation):
    """The reads of every site and of the head; `alpha` is in the order of (i, j)."""
    alpha = iter(alpha)
    x, y, h = [v[0]], v[0], []
    for i in range(1, len(v) // 2 + 1):
        attention, mlp = v[2 * i - 1], v[2 * i]
        h += [y, y + attention]
        x.append(y + attention + mlp)
        y = x[i]
        if i % period == 0:
            y = sum(next(alpha) * x[j] for j in range(i + 1) if j % dilation == i % dilation)
    assert next(alpha, None) is None
    return [*h, y]


@pytest.mark.parametrize(("period", "dilation"), PERIOD_DILATION)
def test_reads_are_those_of_the_equations_for_any_weights(period, dilation):
    routing, v = denseformer(period, dilation), outputs(sites=16)
    randomise(routing)
    found = reads(routing, v)
    wanted = by_the_equations(routing.alpha.detach(), v, period, dilation)
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("period", "dilation"), PERIOD_DILATION)
def test_it_starts_as_add_to_the_last_bit(period, dilation):
    v = outputs(sites=16)
    found = reads(denseformer(period, dilation), v)
    assert all(map(torch.equal, found, reads(routing_of(("add", {}), 16), v)))


@pytest.mark.parametrize(("depth", "count"), [(12, 90), (24, 324), (28, 434)])
def test_the_plain_form_has_the_papers_number_of_scalars(depth, count):
    assert denseformer(1, 1, sites=2 * depth).alpha.numel() == count == depth * (depth + 3) // 2


@pytest.mark.parametrize(("period", "dilation"), PERIOD_DILATION)
def test_an_averaged_block_has_one_scalar_for_every_source(period, dilation):
    count = sum(i // dilation + 1 for i in range(1, 9) if i % period == 0)
    assert denseformer(period, dilation).alpha.numel() == count


def test_a_period_beyond_the_depth_averages_nothing():
    v = outputs(sites=4)
    routing = denseformer(3, 1, sites=4)
    assert routing.alpha.numel() == 0
    assert all(map(torch.equal, reads(routing, v), reads(routing_of(("add", {}), 4), v)))


@pytest.mark.parametrize("params", [{"period": 0}, {"dilation": 0}])
def test_period_and_dilation_start_at_one(params):
    with pytest.raises(ValueError, match="must be at least 1"):
        routing_of(("denseformer", params))
