import math

import pytest
import torch
from hyper_connections import manifold_constrained_hyper_connections as package

from darbench.ops.sinkhorn import permutations, sinkhorn


def logits(size, n=4, count=200, dtype=torch.float64):
    generator = torch.Generator().manual_seed(n)
    return (size * torch.randn(count, n, n, generator=generator, dtype=torch.float64)).to(dtype)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("iterations", [1, 5, 20])
@pytest.mark.parametrize("other", ["sinkhorn_knopps", "log_domain_sinkhorn_knopps"])
def test_it_equals_the_packages(n, iterations, other):
    x = logits(2.0, n, dtype=torch.float32)
    wanted = getattr(package, other)(x, iterations)
    torch.testing.assert_close(sinkhorn(x, iterations), wanted, rtol=1e-4, atol=1e-6)


def test_it_divides_columns_then_rows():
    x = logits(2.0)
    m = x.exp()
    for _ in range(3):
        m = m / m.sum(1, keepdim=True)
        m = m / m.sum(2, keepdim=True)
    torch.testing.assert_close(sinkhorn(x, 3), m, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("size", [1.0, 10.0])
def test_rows_sum_to_one_exactly(size):
    """They are contracted when streams are mixed."""
    m = sinkhorn(logits(size), 20)
    assert (m >= 0).all()
    assert (m.sum(-1) - 1).abs().max() < 1e-14


def test_columns_sum_to_one_as_nearly_as_stated():
    def worst(size):
        return (sinkhorn(logits(size, count=2000), 20).sum(-2) - 1).abs().amax(-1)

    assert worst(1.0).quantile(0.99) < 1e-5
    assert 0.02 < worst(10.0).mean() < 0.05


def test_columns_converge_with_more_iterations():
    errors = [(sinkhorn(logits(2.0), k).sum(-2) - 1).abs().max() for k in (5, 20, 80)]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("size", [30.0, 300.0])
def test_extreme_logits_have_finite_values_and_gradients(size):
    """In float32 a whole row may lie further below its columns' largest than exp can tell."""
    x = logits(size, dtype=torch.float32).requires_grad_()
    m = sinkhorn(x, 20)
    m[..., 0, 0].sum().backward()
    assert (m.sum(-1) - 1).abs().max() < 1e-5
    assert x.grad.isfinite().all()


def test_gradients_are_right():
    x = logits(1.0, n=3, count=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sinkhorn(x, 4), x)


def test_a_constant_on_a_row_or_a_column_changes_nothing_in_the_limit():
    x = logits(1.0)
    moved = x + torch.arange(4.0)[:, None] - 2 * torch.arange(4.0)[None, :]
    torch.testing.assert_close(sinkhorn(x, 200), sinkhorn(moved, 200), rtol=1e-9, atol=1e-10)


def test_low_precision_logits_are_raised_to_float32():
    assert sinkhorn(logits(1.0, dtype=torch.bfloat16), 20).dtype == torch.float32


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_permutations_are_all_there_once_with_the_identity_first(n):
    found = permutations(n)
    assert found.shape == (math.factorial(n), n, n)
    assert torch.equal(found[0], torch.eye(n))
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    assert (found.sum(-1) == 1).all() and (found.sum(-2) == 1).all()
    assert len(found.flatten(1).unique(dim=0)) == len(found)
