"""Samples: each a function of the seed and its own index, whatever else is made."""

import math

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.flow import parts
from darbench.flow.samplers import SAMPLERS, guided
from darbench.flow.sampling import make_sampler
from darbench.flow.transport import DEFAULT
from darbench.randomness import stream
from darbench.records.settings import Evaluation
from darbench.trial import generate as generator
from darbench.trial.generate import generate
from tests.make.models import sit
from tests.trial.runs import begin


@pytest.fixture(scope="module")
def trained():
    run = begin("dar")
    for step in range(1, 30):
        run.step(step)
    return run.learner.ema


def sample(model, n=20, seed=0, **changes):
    evaluation = Evaluation(**{"n_gen": n, "grid": 0, "sampler_steps": 3} | changes)
    samples = generate(model, load("digits"), evaluation, seed, "cpu")
    return samples and samples.pictures


def test_a_sample_is_its_own_noise_and_label_taken_through_the_sampler(trained):
    found = sample(trained, n=12, guidance=2.0)
    assert found.shape == (12, 8, 8, 1) and found.dtype == np.uint8
    for i in range(12):
        noise = stream(0, "sample", i).standard_normal((1, 1, 8, 8), dtype=np.float32)
        velocity = guided(trained, torch.tensor([i % 10]), null=10, scale=2.0)
        with torch.no_grad():
            x = SAMPLERS["heun"](velocity, torch.from_numpy(noise), 3)
        pixels = (x[0, 0].double().numpy() * 127.5 + 127.5).clip(0, 255)
        assert np.abs(found[i, :, :, 0] - pixels).max() < 0.51


def test_samples_are_the_same_bits_however_many_are_made(trained):
    many = sample(trained, n=500)
    assert len(many) == 500  # more than one internal batch
    for n in (2, 7, 64):
        assert np.array_equal(sample(trained, n=n), many[:n])


@pytest.mark.parametrize("batch", [7, 64])
def test_samples_are_the_same_to_one_grey_level_in_any_internal_batch(trained, monkeypatch, batch):
    wanted = sample(trained, n=40).astype(int)
    monkeypatch.setattr(generator, "SAMPLE_BATCH", batch)
    assert np.abs(sample(trained, n=40) - wanted).max() <= 1


@pytest.mark.parametrize(("tokens", "at_once"), [(30_720, 480), (16 * 7 + 1, 7), (1, 1)])
def test_many_tokens_leave_room_for_fewer_samples_at_a_time(trained, monkeypatch, tokens, at_once):
    monkeypatch.setattr(generator, "SAMPLE_TOKENS", tokens)
    monkeypatch.setattr(parts, "TOKENS", 10**6)  # a CPU would take fewer at a time
    seen = set()
    hook = trained.register_forward_pre_hook(lambda _, inputs: seen.add(len(inputs[0])))
    assert len(sample(trained, n=9)) == 9 and seen == {at_once}
    hook.remove()


def test_samples_depend_on_the_seed(trained):
    assert not np.array_equal(sample(trained), sample(trained, seed=1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_samples_that_are_not_finite_are_none(value):
    broken = sit(depth=1, channels=1, classes=10)
    with torch.no_grad():
        broken.final_layer.linear.bias.fill_(value)
    assert sample(broken) is None


def test_samples_that_show_something_are_not_taken_for_collapsed():
    pictures = np.zeros((3, 8, 8, 1), np.uint8)
    pictures[2, 0, 0] = 1
    assert not generator.Samples(pictures=pictures, labels=np.zeros(3), audit="").collapsed


def test_a_stochastic_sample_is_its_own_noise_at_every_step(trained):
    settings = {"sampler": "euler_maruyama", "sampler_steps": 4}
    found = sample(trained, n=12, **settings)
    assert np.array_equal(sample(trained, n=250, **settings)[:12], found)
    draw = make_sampler(Evaluation(**settings), DEFAULT)
    for i in (0, 7):
        names = ["sample", *(f"sample/{step}" for step in range(3))]
        x, *noise = (
            torch.from_numpy(stream(0, n, i).standard_normal((1, 1, 8, 8), dtype=np.float32))
            for n in names
        )
        with torch.no_grad():
            velocity = guided(trained, torch.tensor([i % 10]), null=10, scale=1.0)
            x = draw(velocity, x, noise.__getitem__)
        pixels = (x[0, 0].double().numpy() * 127.5 + 127.5).clip(0, 255)
        assert np.abs(found[i, :, :, 0] - pixels).max() < 0.51
