"""The native GELU against float64, where torch's own is computed."""

import math

import pytest
import torch
from torch._subclasses import FakeTensorMode

from darbench.ops import native
from darbench.ops.gelu import gelu


@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0, 4.0, 12.0])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 63, 60)])
def test_values_and_gradients_are_those_of_torch_in_float64(shape, size):
    generator = torch.Generator().manual_seed(0)
    x = size * torch.randn(shape, generator=generator, dtype=torch.float64)
    weights = torch.randn(shape, generator=generator, dtype=torch.float64)

    def act(dtype):
        given = x.to(dtype).requires_grad_()
        y = gelu(given)
        return y.double(), torch.autograd.grad((y * weights.to(dtype)).sum(), given)[0].double()

    assert native.takes(x.float()) and not native.takes(x)
    for found, wanted in zip(act(torch.float32), act(torch.float64), strict=True):
        torch.testing.assert_close(found, wanted, rtol=2e-6, atol=1e-6 * size)


def test_it_is_the_formula():
    for x in (-3.0, -0.5, 0.25, 2.0):
        u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        assert gelu(torch.tensor([x])).item() == pytest.approx(
            x * (1 + math.tanh(u)) / 2, rel=1e-6
        )


def test_far_from_zero_it_is_the_identity_or_nothing_and_a_nan_is_handed_on():
    y = gelu(torch.tensor([-1e4, -60.0, 60.0, 1e4, torch.nan]))
    torch.testing.assert_close(y[:4], torch.tensor([0.0, 0.0, 60.0, 1e4]))
    assert y[4].isnan()
    far = torch.tensor([-1e12, -1e3, 1e3, 1e12], requires_grad=True)
    (slope,) = torch.autograd.grad(gelu(far).sum(), far)
    assert slope.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_second_derivatives_are_those_of_float64():
    def second(dtype):
        x = torch.linspace(-3, 3, 31, dtype=dtype, requires_grad=True)
        (first,) = torch.autograd.grad(gelu(x).sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0].double()

    torch.testing.assert_close(second(torch.float32), second(torch.float64), rtol=1e-5, atol=1e-5)


def test_tensors_without_content_take_torchs_own():
    with FakeTensorMode():
        x = torch.randn(2, 3, requires_grad=True)
        y = gelu(x)
        y.sum().backward()
    assert y.shape == x.grad.shape == (2, 3)


def test_gaps_between_rows_and_threads_change_nothing():
    x = torch.randn(4, 300, 512, generator=torch.Generator().manual_seed(1)).mT
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = gelu(x)
        torch.set_num_threads(1)
        assert torch.equal(gelu(x.contiguous()), found)
    finally:
        torch.set_num_threads(before)
