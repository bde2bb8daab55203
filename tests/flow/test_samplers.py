import math

import pytest
import torch

from darbench.flow.samplers import SAMPLERS, adaptive, euler, guided, heun

every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def noise(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def decay(x, t):
    """dx/dt = -x, so x(1) = x(0) / e."""
    return -x


def turning(x, t):
    """dx/dt = 2 pi cos(2 pi t) x, so x(t) = x(0) exp(sin(2 pi t)) and x(1) = x(0)."""
    return 2 * math.pi * torch.cos(2 * math.pi * t).view(-1, 1) * x


class Counted:
    def __init__(self, field):
        self.field, self.times = field, []

    def __call__(self, x, t):
        assert t.shape == (len(x),) and t.dtype == x.dtype and (t == t[0]).all()
        self.times.append(t[0].item())
        return self.field(x, t)


@every_sampler
def test_a_constant_field_is_integrated_exactly(sampler):
    x, v = noise(4, 2, 3, 3), noise(4, 2, 3, 3).flip(0)
    torch.testing.assert_close(sampler(lambda *_: v, x, 5), x + v, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("sampler", [heun, adaptive])
def test_a_field_linear_in_time_is_integrated_exactly_by_second_order(sampler):
    x, v = noise(4, 3), noise(4, 3).flip(0)
    actual = sampler(lambda _, t: v * (1 + 2 * t.view(-1, 1)), x, 3)
    torch.testing.assert_close(actual, x + 2 * v, rtol=1e-12, atol=1e-12)


def test_euler_and_heun_follow_their_formulas_on_a_decay():
    x, h = noise(4, 3), 1 / 7
    torch.testing.assert_close(euler(decay, x, 7), x * (1 - h) ** 7, rtol=1e-12, atol=0)
    wanted = x * (1 - h + h**2 / 2) ** 7
    torch.testing.assert_close(heun(decay, x, 7), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2)])
def test_errors_fall_with_the_order_of_the_method(sampler, order):
    x = noise(4, 3)
    error = [(sampler(turning_half, x, n) - x * math.e).abs().max().item() for n in (128, 256)]
    assert math.log2(error[0] / error[1]) == pytest.approx(order, abs=0.1)


def turning_half(x, t):
    """A quarter of a turn: x(1) = e x(0)."""
    return math.pi / 2 * torch.cos(math.pi / 2 * t).view(-1, 1) * x


@pytest.mark.parametrize(
    ("field", "growth"), [(decay, 1 / math.e), (turning, 1.0), (turning_half, math.e)]
)
def test_adaptive_reaches_the_closed_form_within_its_tolerances(field, growth):
    x = noise(4, 3)
    torch.testing.assert_close(adaptive(field, x, 1), growth * x, rtol=2e-3, atol=1e-5)
    tight = adaptive(field, x, 1, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(tight, growth * x, rtol=1e-8, atol=1e-8)


def test_euler_looks_once_a_step_and_heun_twice_from_0_to_1():
    one, two = Counted(decay), Counted(decay)
    euler(one, noise(2, 3), 4)
    heun(two, noise(2, 3), 2)
    assert one.times == [0, 0.25, 0.5, 0.75]
    assert two.times == [0, 0.5, 0.5, 1]


@every_sampler
def test_the_given_noise_is_not_changed(sampler):
    x = noise(2, 3)
    before = x.clone()
    sampler(decay, x, 3)
    assert torch.equal(x, before)


def model(x, t, label):
    """Some velocity that depends on everything."""
    size = (1 + label + t).view(-1, 1, 1, 1)
    return torch.sin(size * x)


def test_guidance_of_scale_1_is_one_conditional_evaluation():
    calls = []

    def counted(*args):
        calls.append(args)
        return model(*args)

    x, t, label = noise(3, 4, 2, 2), noise(3), torch.tensor([2, 0, 1])
    actual = guided(counted, label, null=5, scale=1.0)(x, t)
    assert len(calls) == 1 and len(calls[0][0]) == 3
    assert torch.equal(actual, model(x, t, label))


@pytest.mark.parametrize("scale", [0.0, 1.5, 4.0])
def test_guidance_moves_from_the_null_class_towards_the_label_in_every_channel(scale):
    x, t, label = noise(3, 4, 2, 2), noise(3), torch.tensor([2, 0, 1])
    conditional, null = model(x, t, label), model(x, t, torch.full_like(label, 5))
    wanted = null + scale * (conditional - null)
    actual = guided(model, label, null=5, scale=scale)(x, t)
    torch.testing.assert_close(actual, wanted, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("power", [3, 60])
def test_a_field_that_diverges_gives_the_adaptive_sampler_nan(power):
    """dx/dt = (10 x)^3 is infinite well before t = 1; a higher power is not finite at once."""
    actual = adaptive(lambda x, t: (10 * x) ** power, noise(3, 2).float(), 1)
    assert actual.isnan().all()


def test_a_fault_of_the_field_is_not_taken_for_a_divergence():
    def broken(x, t):
        raise AssertionError("shape")

    with pytest.raises(AssertionError, match="shape"):
        adaptive(broken, noise(3, 2), 1)
