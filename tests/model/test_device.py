"""Every built-in routing on a CUDA device answers and learns as on the CPU in float64."""

import pytest
import torch

from darbench.arithmetic import plain_arithmetic
from darbench.testing.inputs import images, randomise
from tests.make.models import SETTINGS, name_of, sit

pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
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
    return {name: g.double().cpu() for name, g in {"velocity": velocity, **found}.items()}


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_velocity_and_every_gradient_equal_those_on_the_cpu_in_float64(setting):
    with plain_arithmetic(DEVICE):
        found = passed(setting, DEVICE, torch.float32)
    wanted = passed(setting, "cpu", torch.float64)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        error = (found[name] - value).norm() / value.norm().clamp(min=1e-6)
        assert error < 1e-4, name
