import pytest
import torch
from torch import nn

from darbench.flow.path import PATHS
from darbench.flow.repa import RepaObjective
from darbench.flow.transport import DEFAULT, PREDICTIONS, Transport
from darbench.model.tap import tap
from darbench.testing.inputs import images, randomise
from tests.make.models import SETTINGS, name_of, sit


def encoder(x):
    """Features of each quarter of the token grid: (B, 3, 8, 8) -> (B, 6, 2, 2)."""
    quarters = nn.functional.avg_pool2d(x, 4)
    return torch.cat([quarters, quarters.flip(2) ** 2 + 0.5], dim=1)


def patchwise(x):
    """An encoder with as many features as tokens: (B, 6, 4, 4)."""
    tokens = nn.functional.avg_pool2d(x, 2)
    return torch.cat([tokens, tokens**2], dim=1)


def batch(dtype=torch.float64):
    x1, u, label = images()
    return x1.to(dtype), label, x1.flip(0).roll(1, 2).to(dtype), u.to(dtype)


def repa(model, features=patchwise, dtype=torch.float64, **changes):
    settings = {"layer": 2, "hidden": 24} | changes
    return RepaObjective(DEFAULT, model, features, **settings).to(dtype)


def trained(setting=("add", {}), dtype=torch.float64, std=0.3):
    model = sit(setting).double()
    randomise(model, std)
    return model.to(dtype)


def by_hand(objective, model, features, x1, label, x0, u):
    """The paper's loss of each sample, token by token."""
    with tap(model, objective.layer) as reads:
        t = u.view(-1, 1, 1, 1)
        flow = (model((1 - t) * x0 + t * x1, u, label) - (x1 - x0)).square().mean((1, 2, 3))
    _, first, _, second, _, third = objective.projector
    silu = nn.functional.silu
    losses = []
    for n in range(len(x1)):
        cosines = []
        for token in range(16):
            z = reads[0][n, token]
            y = features[n, :, token // 4, token % 4]
            p = silu(first.weight @ z + first.bias)
            p = third.weight @ silu(second.weight @ p + second.bias) + third.bias
            cosines.append(p @ y / (p.norm() * y.norm()))
        losses.append(flow[n] - 0.5 * torch.stack(cosines).mean())
    return torch.stack(losses)


@pytest.mark.parametrize("layer", [1, 2, 4])
def test_the_loss_is_that_of_the_flow_less_half_the_mean_cosine(layer):
    model = trained()
    objective = repa(model, layer=layer)
    wanted = by_hand(objective, model, patchwise(batch()[0]), *batch())
    torch.testing.assert_close(objective(model, *batch()), wanted, rtol=1e-10, atol=1e-12)


def test_features_are_resampled_to_the_tokens():
    """The resampling is bilinear, between the centres of the four quarters."""
    model = trained()
    objective = repa(model, encoder)
    features = encoder(batch()[0])
    weight = torch.tensor([1, 0.75, 0.25, 0], dtype=torch.float64)  # of the first of two centres
    mix = torch.stack([weight, 1 - weight])
    resampled = torch.einsum("bcij,ip,jq->bcpq", features, mix, mix)
    wanted = by_hand(objective, model, resampled, *batch())
    torch.testing.assert_close(objective(model, *batch()), wanted, rtol=1e-10, atol=1e-12)


def gradients(setting, dtype):
    model = trained(setting, dtype, std=0.1)
    objective = repa(model, dtype=dtype, norm=True)
    objective(model, *batch(dtype)).sum().backward()
    learnt = [*model.named_parameters(), *objective.named_parameters()]
    return {name: p.grad for name, p in learnt if p.requires_grad and p.grad is not None}


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_every_routing_learns_from_the_alignment(setting):
    """Gradients in float32, by fast operators, are those in float64, by definitions, also where a
    depth read has a second consumer."""
    fast, exact = gradients(setting, torch.float32), gradients(setting, torch.float64)
    assert fast.keys() == exact.keys()
    scale = max(g.abs().max() for g in exact.values())
    for name, gradient in exact.items():
        torch.testing.assert_close(
            fast[name].double(), gradient, rtol=2e-3, atol=2e-4 * scale, msg=name
        )


def test_the_alignment_teaches_what_lies_before_the_layer_and_nothing_after():
    model = trained()
    objective = repa(model, layer=2)
    x1, label, _, u = batch()
    with tap(model, 2) as reads:
        model(x1, u, label)
    objective.alignment(reads[0], x1).sum().backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {"blocks.0.attn.qkv.weight", "blocks.1.mlp.fc2.weight"} <= touched
    assert not [name for name in touched if name.startswith(("blocks.2", "blocks.3", "final"))]


def test_aligned_features_are_found():
    """A projector that may learn alone brings the cosine close to 1."""
    model = trained()
    objective = repa(model, hidden=64)
    x1, label, x0, u = batch()
    optimizer = torch.optim.Adam(objective.projector.parameters(), lr=1e-2)
    with torch.no_grad(), tap(model, 2) as reads:
        model(DEFAULT.path.at(u, x0).x(x0, x1), u, label)
    first = objective.alignment(reads[0], x1).mean().item()
    for _ in range(300):
        optimizer.zero_grad()
        (-objective.alignment(reads[0], x1).mean()).backward()
        optimizer.step()
    assert objective.alignment(reads[0], x1).mean().item() > max(0.9, first)


def test_the_projector_has_three_linears_of_the_given_width():
    model = sit()
    for hidden, wide in ((None, 32), (48, 48)):
        projector = repa(model, encoder, hidden=hidden).projector
        shapes = [tuple(p.shape) for p in projector.parameters() if p.dim() == 2]
        assert shapes == [(wide, 16), (wide, wide), (6, wide)]


def test_with_a_norm_the_scale_of_the_state_does_not_matter():
    x1, z = batch()[0], torch.randn(len(batch()[0]), 16, 16, dtype=torch.float64)
    normed, plain = repa(sit(), norm=True), repa(sit())
    actual = normed.alignment(100 * z, x1)
    torch.testing.assert_close(actual, normed.alignment(z, x1), atol=1e-5, rtol=0)
    assert (plain.alignment(100 * z, x1) - plain.alignment(z, x1)).abs().max() > 1e-3


def test_initial_values_depend_on_the_seed_and_on_nothing_else():
    torch.manual_seed(1)
    one = repa(sit()).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    same, other = repa(sit(("dar", {}))).state_dict(), repa(sit(), seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["projector.1.weight"], other["projector.1.weight"])
    assert not one["projector.1.bias"].any()


def test_a_frozen_network_stays_as_it_is():
    network = nn.Sequential(nn.Conv2d(3, 6, 2, stride=2), nn.Dropout(0.5))
    objective = RepaObjective(DEFAULT, sit(), network, layer=1)
    assert not any(p.requires_grad for p in objective.encoder.parameters())
    assert not objective.encoder.training
    learnt = {name for name, p in objective.named_parameters() if p.requires_grad}
    assert learnt == {f"projector.{i}.{kind}" for i in (1, 3, 5) for kind in ("weight", "bias")}


def test_it_composes_with_every_path_and_prediction():
    model = trained()
    for path in PATHS.values():
        for prediction in PREDICTIONS.values():
            transport = Transport(path, prediction)
            objective = RepaObjective(transport, model, patchwise, layer=2, hidden=24).double()
            x1, label, x0, u = batch()
            t = transport.time(u)
            with tap(model, 2) as reads:
                model(path.at(t, x0).x(x0, x1), t, label)
            wanted = transport.loss(model, *batch()) - 0.5 * objective.alignment(reads[0], x1)
            torch.testing.assert_close(objective(model, *batch()), wanted)


@pytest.mark.parametrize("layer", [0, 5])
def test_a_layer_that_the_model_lacks_is_refused(layer):
    with pytest.raises(ValueError, match=f"layer={layer}: must be between 1 and the depth, 4"):
        repa(sit(), layer=layer)


def test_its_flops_are_those_of_encoder_and_projector():
    """2 per multiply-add; the backward of a linear is twice its forward, of its input's too."""
    network = nn.Conv2d(3, 6, 2, stride=2)
    objective = RepaObjective(DEFAULT, sit(), network, layer=1, hidden=24)
    projector = 16 * (16 * 24 + 24 * 24 + 24 * 6)
    convolution = 16 * (3 * 2 * 2) * 6
    wanted = 5 * 2 * (3 * projector + convolution)
    assert objective.step_flops(5, (3, 8, 8)) == wanted


def test_under_autocast_the_cosine_itself_is_not_rounded():
    """The projector's bfloat16 output enters it in full: 8 bits would show in the third digit."""
    model, (x1, *_) = trained(dtype=torch.float32), batch(torch.float32)
    objective = repa(model, dtype=torch.float32)
    z = torch.linspace(-2, 2, 3 * 16 * objective.width).view(3, 16, -1).sin()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        actual = objective.alignment(z, x1)
        p, y = objective.projector(z).double(), objective._target(x1).double()
    wanted = ((p * y).sum(-1) / (p.norm(dim=-1) * y.norm(dim=-1))).mean(1)
    torch.testing.assert_close(actual.double(), wanted, rtol=1e-5, atol=1e-7)
