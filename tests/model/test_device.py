"""Every built-in routing answers and learns in float32 as by the definitions in float64."""

import pytest
import torch

from darbench.arithmetic import plain_arithmetic
from darbench.testing.inputs import images, randomise
from tests.make.models import SETTINGS, name_of, sit

# Of a device, the largest difference of a value or a gradient in float32, relative to its norm.
# Some models with random weights magnify a rounding a hundred times; `add` does not.
BOUNDS = [("cpu", 5e-4)]
if torch.cuda.is_available():
    BOUNDS.append(pytest.param("cuda", 1e-3, marks=pytest.mark.device))


def passed(setting, device, dtype):
    """The velocity of a model with random weights, and the gradient of every one of them."""
    model = sit(setting)
    randomise(model)
    model.to(device, dtype)
    x, t, label = images()
    velocity = model(x.to(device, dtype), t.to(device, dtype), label.to(device))
    velocity.square().sum().backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    found["velocity"] = velocity.detach()
    return {name: value.double().cpu() for name, value in found.items()}


def demand_equal(setting, device, bound):
    with plain_arithmetic(device):
        found = passed(setting, device, torch.float32)
    wanted = passed(setting, "cpu", torch.float64)
    assert found.keys() == wanted.keys()
    least = 1e-3 * max(value.norm() for value in wanted.values())  # some gradients cancel to zero
    for name, value in wanted.items():
        assert (found[name] - value).norm() < bound * max(value.norm(), least), name


@pytest.mark.parametrize(("device", "bound"), BOUNDS)
@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_velocity_and_every_gradient_are_those_of_float64(setting, device, bound):
    demand_equal(setting, device, bound)


def test_those_of_add_are_so_to_five_digits():
    demand_equal(("add", {}), "cpu", 1e-5)
