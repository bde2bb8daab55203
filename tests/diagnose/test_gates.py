"""Counterfactual gates by finite differences of a model that really has gates."""

import numpy as np
import torch

from darbench.diagnose.gates import gate_gradients
from darbench.routing.base import Routing
from tests.diagnose.models import SITES, TIMES, batch_of, model_of


class Gated(Routing):
    """h_i = sum_j gates[i, j] v_j."""

    def __init__(self, gates):
        super().__init__(SITES, 16)
        self.gates = gates

    def begin(self, x, cond):
        return (x,)

    def read(self, state, site):
        return sum(self.gates[site, j] * v for j, v in enumerate(state))

    def write(self, state, site, v):
        return (*state, v)


def losses(model, gates):
    model.routing, batch = Gated(gates), batch_of()
    with torch.no_grad():
        found = batch.transport.velocity_loss(model, *batch.at(TIMES))
    return found.unflatten(0, (len(TIMES), -1)).mean(1)


def test_of_add_they_are_the_slopes_of_the_loss_along_gates_at_one():
    model, step = model_of("add"), 1e-5
    found = gate_gradients(model, batch_of(), TIMES)["gate_gradient"]
    assert found.axes == ("t", "i", "j") and found.unit == "loss"
    ones = torch.ones(SITES + 1, SITES + 1, dtype=torch.float64)
    for i in range(SITES + 1):
        for j in range(i + 1):
            nudge = torch.zeros_like(ones)
            nudge[i, j] = step
            slope = (losses(model, ones + nudge) - losses(model, ones - nudge)) / (2 * step)
            np.testing.assert_allclose(found.values[:, i, j], slope, rtol=1e-5, atol=1e-9)
    assert not np.triu(found.values, 1).any()


def test_a_reader_gains_nothing_by_a_larger_sum():
    """Every reader begins with a norm, so that all gates of one together change nothing."""
    for name in ("add", "denseformer"):
        found = gate_gradients(model_of(name), batch_of(), TIMES)["gate_gradient"].values
        assert (abs(found.sum(-1)) < 1e-4).all() and (abs(found[:, 1:]).sum(-1) > 1e-3).all()
