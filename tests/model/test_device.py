"""Every built-in routing on a CUDA device answers and learns as on the CPU in float64."""

import pytest
import torch

from darbench.arithmetic import plain_arithmetic
from darbench.testing.inputs import images, randomise
from tests.make.models import SETTINGS, name_of, sit

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)
pytestmark = pytest.mark.device
DEVICE = "cuda"


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


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_velocity_and_every_gradient_equal_those_on_the_cpu_in_float64(setting):
    with plain_arithmetic(DEVICE):
        found = passed(setting, DEVICE, torch.float32)
    wanted = passed(setting, "cpu", torch.float64)
    assert found.keys() == wanted.keys()
    least = 1e-3 * max(value.norm() for value in wanted.values())  # some gradients cancel to zero
    for name, value in wanted.items():
        assert (found[name] - value).norm() < 1e-3 * max(value.norm(), least), name
