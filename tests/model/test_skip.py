"""Controls of the backbone: a skip from input to output, the form of the gates, wider MLPs."""

import numpy as np
import pytest
import torch
from torch import nn

from darbench.flow.path import PATHS
from darbench.flow.transport import PREDICTIONS, Transport
from darbench.metrics.cost.flops import step_flops
from darbench.model.official import load_official, to_official
from darbench.model.skip import TimeSkip
from darbench.records.settings import GATES, SKIPS, Training
from darbench.testing.inputs import images, randomise
from darbench.trial.learner import make_optimizer
from tests.make.models import sit

some_routings = pytest.mark.parametrize(
    "setting", [("add", {}), ("unet", {}), ("dar", {"query": "dynamic"})], ids=lambda s: s[0]
)


def answers(model):
    with torch.no_grad():
        return model(
            *(a.to(model.pos_embed.dtype) if a.is_floating_point() else a for a in images())
        )


@some_routings
def test_a_skip_starts_as_the_plain_model(setting):
    plain, model = sit(setting), sit(setting, skip="time")
    for one in (plain, model):
        randomise(one.final_layer)
    assert torch.equal(answers(plain), answers(model))
    assert answers(plain).std() > 0.1


def test_a_skip_adds_its_own_keys_and_moves_no_initial_value():
    plain, state = sit().state_dict(), sit(skip="time").state_dict()
    assert {k: tuple(v.shape) for k, v in state.items() if k not in plain} == {
        "skip.mlp.0.weight": (32, 256),
        "skip.mlp.0.bias": (32,),
        "skip.mlp.2.weight": (2, 32),
        "skip.mlp.2.bias": (2,),
    }
    assert all(torch.equal(state[key], value) for key, value in plain.items())


def test_a_skip_adds_to_the_output_what_its_formula_says():
    """In numpy, from the timestep's frequencies on."""
    model = sit(skip="time")
    randomise(model.final_layer)
    out = answers(model).numpy()
    randomise(model.skip)
    x, t, _ = (a.numpy() for a in images())
    w0, b0, w1, b1 = (p.detach().numpy() for p in model.skip.parameters())
    angles = t[:, None] * 1e4 ** (-np.arange(128) / 128)
    hidden = np.concatenate([np.cos(angles), np.sin(angles)], 1) @ w0.T + b0
    alpha, more = ((hidden / (1 + np.exp(-hidden))) @ w1.T + b1).T.reshape(2, -1, 1, 1, 1)
    wanted = alpha * x + (1 + more) * out
    assert np.abs(wanted - out).max() > 0.1
    # The frequencies are computed in float32.
    np.testing.assert_allclose(answers(model).numpy(), wanted, rtol=1e-4, atol=1e-5)


class Coefficients(nn.Module):
    """alpha and beta - 1 that turn x_1 into a velocity, on the linear path."""

    def __init__(self, t):
        super().__init__()
        self.of = torch.stack([-1 / (1 - t), 1 / (1 - t) - 1], dim=1)

    def forward(self, features):
        return self.of


def test_a_skip_makes_a_velocity_of_a_prediction_of_data():
    x, t, _ = images()
    skip, out = TimeSkip(), torch.sin(x)
    skip.mlp = Coefficients(t)
    wanted = PATHS["Linear"].at(t, x).velocity_from_data(out, x)
    torch.testing.assert_close(skip(x, t, out), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_skip_learns_with_the_trunk_whatever_the_network_predicts(name):
    model = sit(("dar", {"lr_mult": 10.0}), skip="time").double()
    randomise(model.final_layer)
    trunk, *_ = make_optimizer(model, Training(lr=1e-3, objective=name)).param_groups
    assert trunk["lr"] == 1e-3
    held = {id(p) for p in trunk["params"]}
    assert all(id(p) in held for p in model.skip.parameters())
    x1, t, label = images()
    Transport(prediction=PREDICTIONS[name]).loss(model, x1, label, x1.flip(0), t).sum().backward()
    assert model.skip.mlp[2].weight.grad.abs().min() > 0


def test_a_skip_costs_its_products_and_three_flops_a_value():
    plain, actual = (step_flops(lambda s=s: sit(skip=s), 3, (3, 8, 8)) for s in SKIPS)
    first, last = 2 * 256 * 32, 2 * 32 * 2  # nothing needs the gradient of the frequencies
    assert actual - plain == 3 * (2 * first + 3 * last + 3 * 3 * 3 * 8 * 8)


def test_a_skip_runs_under_autocast():
    model = sit(skip="time")
    randomise(model.final_layer)
    with torch.autocast("cpu", torch.bfloat16):
        x, t, label = images()
        out = model(x.float(), t.float(), label)
    assert out.isfinite().all() and out.dtype == torch.float32


def test_official_weights_load_beside_a_skip():
    model, official = sit(skip="time"), sit()
    randomise(official)
    assert all(k.startswith("skip.") for k in load_official(model, official.state_dict()))
    assert set(to_official(model)) == set(official.state_dict())
    assert torch.equal(answers(model), answers(official))


def filled(*args, **changes):
    """A model in float64 whose trunk is random, the same whatever routing and gates."""
    model = sit(*args, **changes)
    for part in (model.x_embedder, model.y_embedder, model.blocks, model.final_layer):
        randomise(part)
    return model


def test_add_with_gates_one_plus_is_layerscale_with_a_scale_of_one():
    """Its residual is x + 1 * (1 + gate) op, from code of its own."""
    wanted = answers(filled(("layerscale", {"init": 1.0, "one_plus": True})))
    torch.testing.assert_close(answers(filled(gate="one_plus")), wanted, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(answers(filled()), wanted)


def test_a_gate_replaces_the_one_that_a_routing_declares_and_null_keeps_it():
    scaled = ("layerscale", {"init": 1.0, "one_plus": True})
    assert torch.equal(answers(filled(scaled)), answers(filled(scaled, gate="one_plus")))
    replaced = answers(filled(scaled, gate="adaln"))
    torch.testing.assert_close(replaced, answers(filled()), rtol=1e-12, atol=1e-12)
    assert {len(answers(filled(gate=gate))) for gate in GATES} == {3}


def test_a_width_of_the_mlps_stands_for_a_ratio():
    assert torch.equal(answers(filled(mlp_hidden=64)), answers(filled(mlp_ratio=4.0)))
    wide = sit(mlp_hidden=37)
    assert {tuple(block.mlp.fc1.weight.shape) for block in wide.blocks} == {(37, 16)}
