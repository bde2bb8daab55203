"""The probe finds a time that was planted, and none where there is none."""

import numpy as np
import pytest
import torch

from darbench.diagnose.probe import input_probe, probe, probe_times
from darbench.routing.add import Add
from tests.diagnose.models import batch_of, model_of, model_with


class Planted(Add):
    """Plain addition, whose first output of block 2 also says the time."""

    def begin(self, x, cond):
        return x, cond.time

    def read(self, state, site):
        return state[0]

    def write(self, state, site, v):
        x, time = state
        told = time.view(-1, 1, 1) * torch.linspace(1, 2, self.width, dtype=v.dtype)
        return x + v + (30 * told if site == 2 else 0), time


class Silent(Add):
    """A routing of which every read is the same, whatever came before."""

    def read(self, state, site):
        return torch.ones_like(state) + 0 * state


def probed(model, n=128):
    batch = batch_of(n)
    return probe(model, batch, probe_times(n, batch).double())


def test_a_planted_time_is_found_from_where_it_is_planted_on():
    model = model_with(Planted, std=0.05)
    model.x_embedder.requires_grad_(False)
    r2 = probed(model)["probe_r2"]
    assert r2.values[1] < 0.9 and (r2.values[2:] > 0.99).all()
    assert r2.axes == ("k",) and r2.error.shape == (5,) and (r2.error[2:] < 0.01).all()


def test_a_state_that_says_nothing_has_no_r2():
    r2 = probed(model_with(Silent))["probe_r2"].values
    assert (r2 <= 0).all() and (r2 > -0.2).all()


def test_the_input_says_the_time_as_ridge_regression_in_closed_form_finds():
    """x_t of images that are all alike is t times them, and noise."""
    batch = batch_of(64)
    batch = batch._replace(x1=batch.x1[:1].expand_as(batch.x1), x0=0.1 * batch.x0)
    times = probe_times(64, batch).double()
    found = input_probe(batch, times)["probe_r2_input"]
    assert found.values > 0.95 and found.axes == ()


def test_a_state_that_is_not_finite_says_nothing():
    model = model_of("add", torch.float32)
    model.blocks[1].mlp.fc2.bias.data.fill_(torch.inf)
    batch = batch_of(16, torch.float32)
    r2 = probe(model, batch, probe_times(16, batch))["probe_r2"].values
    assert np.isfinite(r2[:2]).all() and np.isnan(r2[2:]).all()


def test_times_are_spread_evenly_over_the_span_in_random_order():
    times = probe_times(100, batch_of())
    assert not torch.equal(times, times.sort().values)
    np.testing.assert_allclose(times.sort().values, (np.arange(100) + 0.5) / 100, rtol=1e-6)


def test_the_same_samples_give_the_same_numbers():
    model = model_of("add", torch.float32)
    batch = batch_of(16, torch.float32)
    one, two = (probe(model, batch, probe_times(16, batch))["probe_r2"] for _ in range(2))
    assert one.values == pytest.approx(two.values, abs=0)
