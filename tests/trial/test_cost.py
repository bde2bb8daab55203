"""The costs of a task, against closed forms and a real run."""

import math
from dataclasses import replace

import pytest
import torch

from darbench import registry
from darbench.data import kind, load
from darbench.metrics.cost.overhead import block_flops
from darbench.metrics.extractors.extractor import Layers, extract, extractor
from darbench.metrics.scores.neighbours import block_bytes
from darbench.metrics.scores.reference import reference
from darbench.ops import native
from darbench.search.compose import compose_trial
from darbench.search.load import build_trial
from darbench.trial.build import build_model
from darbench.trial.cost import BYTES_A_PARAMETER, add_step_flops, evaluation_bytes, step_bytes
from darbench.trial.train import train
from tests.make.spaces import OVERRIDES
from tests.make.trials import tiny_trial


def card(task, overrides):
    return build_trial(compose_trial("add", task, overrides), registry.signatures())


def test_the_budget_is_that_of_a_run():
    trial = card("digits-nano", OVERRIDES)
    *_, last = train(trial)
    assert last.measured["budget_flops"] == 3 * add_step_flops(trial, kind("digits"))


def test_the_budget_of_a_control_is_that_of_the_plain_backbone():
    """So both stand in one section; a control that costs more trains fewer steps."""
    plain = tiny_trial(steps=20)
    wanted = 20 * add_step_flops(plain, kind("digits"))
    for change in ({"skip": "time"}, {"gate": "one_plus"}, {"mlp_hidden": 200}):
        *_, last = train(replace(plain, model=replace(plain.model, **change)))
        assert last.measured["budget_flops"] == wanted
        own = last.measured["train_flops"] / last.step
        assert last.step == math.ceil(wanted / own - 1e-9)
        assert (last.step < 20) == (change == {"mlp_hidden": 200})
        assert (own > wanted / 20) == (change != {"gate": "one_plus"})


@pytest.mark.parametrize(
    ("task", "depth", "width"), [("imagenet256-xl2", 28, 1152), ("cifar10-small", 12, 384)]
)
def test_a_step_is_three_forwards_of_the_published_size(task, depth, width):
    trial = card(task, [])
    found = add_step_flops(trial, kind(trial.task.data))
    blocks = 3 * trial.training.batch * block_flops(depth, width)
    assert blocks < found < 1.05 * blocks  # the rest: embeddings, modulation and head


@pytest.mark.parametrize("fused", [False, True])
def test_memory_is_what_autograd_really_saves(monkeypatch, fused):
    """Real tensors are counted by their addresses. Whole sublayers in one function save less."""
    monkeypatch.setattr(native, "AVAILABLE", fused)
    trial = card("digits-nano", ["model.depth=3", "training.batch=5"])
    data = load("digits")
    model = build_model("add", {}, trial.model, data, seed=0)
    saved = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: saved.setdefault(x.untyped_storage().data_ptr(), x), lambda x: x
    ):
        label = torch.zeros(5, dtype=torch.long)
        loss = model(torch.randn(5, 1, 8, 8), torch.rand(5), label).square().mean()
    own = {p.data_ptr() for p in model.parameters()}
    kept = sum(x.untyped_storage().nbytes() for key, x in saved.items() if key not in own)
    parameters = sum(p.numel() for p in model.parameters())
    assert loss.requires_grad
    wanted = BYTES_A_PARAMETER * parameters + kept
    found = step_bytes(trial, data)
    assert wanted < found < 1.5 * wanted if fused else found == pytest.approx(wanted, rel=0.01)


def test_half_precision_keeps_less_and_the_batch_counts():
    def of(*overrides):
        return step_bytes(card("cifar10-small", [*overrides]), kind("cifar10"))

    half, full = of(), of("training.precision=float32")
    assert 0.5 < half / full < 0.7
    one, two, four = (of(f"training.batch={n}") for n in (1, 2, 4))
    assert four - two == 2 * (two - one) > 0


def test_evaluation_needs_what_its_arrays_take():
    trial, data = card("shapes-nano", []), load("shapes")
    real = reference("shapes-cnn", data.reference_images, data.val_images)
    pictures = data.val_images  # as many as are generated
    layers = Layers.of("shapes-cnn", extract(extractor("shapes-cnn"), pictures))
    held = (data.reference_images, data.val_images, real.pixels, real.features, pictures, pictures)
    made = (layers.features, layers.logits, layers.spatial)
    wanted = sum(x.nbytes for x in (*held, *made)) + block_bytes(512, 2048, pictures[0].nbytes)
    assert trial.evaluation.n_gen == len(pictures)
    assert evaluation_bytes(trial, data) == evaluation_bytes(trial, kind("shapes")) == wanted
    again = card("shapes-nano", ["evaluation.redraws=2"])
    assert evaluation_bytes(again, data) == wanted + pictures.nbytes


def test_evaluation_needs_what_the_reference_takes_where_that_is_more():
    def of(n_gen):
        trial = card("cifar10-small", [f"evaluation.n_gen={n_gen}"])
        return evaluation_bytes(trial, kind("cifar10"))

    features = 12 * 50_000 * (2048 + 1008 + 2023)
    assert of(2048) == of(10_000) == features + 3072 * 2 * (50_000 + 10_000) < of(100_000)


def test_fifty_thousand_pictures_of_imagenet_are_two_times_ten_gigabytes_and_more():
    need = evaluation_bytes(card("imagenet256-xl2", []), kind("latents"))
    assert 2 * 50_000 * 256 * 256 * 3 < need < 40e9
