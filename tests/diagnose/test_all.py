"""Every routing passes through every analysis: built-in, a user's, and with mistakes."""

import numpy as np
import pytest
import torch

from darbench.diagnose.batch import random_signs
from darbench.diagnose.gates import gate_gradients
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.measured import AXES
from darbench.diagnose.measures import matrix_measures, softmax_measures
from darbench.diagnose.probe import probe
from darbench.diagnose.record import recorded
from darbench.diagnose.symptoms import symptoms
from darbench.diagnose.weights import softmax_weights
from tests.diagnose.models import TIMES, TOKENS, WIDTH, batch_of, model_of, model_with
from tests.make.models import SETTINGS, name_of
from tests.testing.broken import BROKEN
from tests.testing.healthy import Attentive, Scaled

SIGNS = random_signs(1, 2, TOKENS, WIDTH)


def diagnosed(model, dtype=torch.float32):
    batch = batch_of(2, dtype)
    matrix = routing_matrix(model, batch, TIMES, SIGNS)
    weights = softmax_weights(model, batch, TIMES)
    found = [symptoms(model, batch, TIMES), matrix, gate_gradients(model, batch, TIMES), weights]
    found.append(matrix_measures(matrix["routing_matrix"]))
    if weights:
        found.append(softmax_measures(*weights.values()))
    found.append(probe(model, batch_of(6, dtype), torch.linspace(0, 1, 6), splits=2))
    return {name: measured for analysis in found for name, measured in analysis.items()}


def sizes():
    return {"t": len(TIMES), "k": 5, "i": 9, "j": 9}


def demand_form(found):
    for name, measured in found.items():
        wanted = [sizes().get(axis) for axis in measured.axes]
        shape = measured.values.shape
        assert set(measured.axes) <= AXES.keys(), name
        assert len(shape) == len(wanted), name
        short = {"block_cosine"}  # of neighbouring k
        if name not in short:
            assert all(a == b for a, b in zip(shape, wanted, strict=True) if b), name


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_a_built_in_routing_is_diagnosed_in_numbers(setting):
    name, params = setting
    model = model_of(name, torch.float32, **params)
    found = diagnosed(model)
    demand_form(found)
    for name, measured in found.items():
        assert name.startswith("softmax") or np.isfinite(measured.values).all(), name


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_the_matrix_is_zero_where_a_read_does_not_look(setting):
    name, params = setting
    model = model_of(name, **params)
    found = routing_matrix(model, batch_of(), TIMES, SIGNS)["routing_matrix"].values
    for site, row in enumerate(found.transpose(1, 0, 2)):
        seen = model.routing.sources(site)
        assert {j for j in range(9) if row[:, j].any()} == seen


@pytest.mark.parametrize("cls", [Attentive, Scaled, *BROKEN], ids=lambda cls: cls.__name__)
def test_a_users_routing_is_diagnosed_wherever_its_model_runs(cls):
    """A mistake that a model runs into, the diagnosis runs into as well, with the same error."""
    try:
        model = model_with(cls, torch.float32)
        x, t, label = batch_of(2, torch.float32).points(TIMES)
        loss = model(x.requires_grad_(), t, label).sum() + 0 * x.sum()
        loss.backward()
    except Exception as error:
        assert cls in BROKEN
        with pytest.raises(type(error)):
            diagnosed(model_with(cls, torch.float32))
        return
    finally:
        torch.set_default_dtype(torch.float32)
    demand_form(diagnosed(model))


def test_the_model_is_left_as_it_was():
    model = model_of("dar", torch.float32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modules = dict(model.named_modules())
    diagnosed(model)
    assert dict(model.named_modules()) == modules and recorded(model)[0] is not model
    assert all(torch.equal(before[n], x) for n, x in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
