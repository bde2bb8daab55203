"""The seven numbers of every trial."""

import math

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.diagnose.batch import random_signs, time_grid, validation_batch
from darbench.diagnose.columns import scalar_columns
from darbench.flow.path import PATHS
from darbench.flow.transport import Transport
from darbench.testing.inputs import randomise
from tests.make.models import sit

DIGITS = load("digits", "")


def columns_of(name="add", params=None, std=0.1, transport=None):
    model = sit((name, params or {}), channels=1, classes=10).eval()
    randomise(model, std)
    return scalar_columns(model, DIGITS, **({"transport": transport} if transport else {}))


def test_of_add_those_of_the_matrix_are_known():
    found = columns_of()
    counts = np.arange(1, 10)
    assert found["routing_entropy"] == pytest.approx(np.log(counts).mean())
    assert found["lookback_mean"] == pytest.approx(((counts - 1) / 2).mean())
    assert found["t_sensitivity"] == 0


def test_a_deep_model_gives_every_nth_row_of_the_matrix_up_to_the_heads():
    found = scalar_columns(sit(depth=25, width=8, channels=1, classes=10).eval(), DIGITS)
    counts = np.arange(50, -1, -3) + 1  # 50 sites, the head is the last of 51 readers
    assert found["routing_entropy"] == pytest.approx(np.log(counts).mean())


@pytest.mark.parametrize("name", ["dar", "hyper", "unet"])
def test_they_are_finite_and_the_same_again(name):
    one, two = columns_of(name), columns_of(name)
    assert one == two and all(map(math.isfinite, one.values()))


def test_learnt_scalars_are_the_same_at_every_time_and_softmax_weights_are_not():
    assert columns_of("denseformer")["t_sensitivity"] < 1e-6
    assert columns_of("dar")["t_sensitivity"] > 0.01


@pytest.mark.filterwarnings("error")
def test_a_single_block_has_no_next_one_to_be_like():
    found = scalar_columns(sit(depth=1, channels=1, classes=10).eval(), DIGITS)
    assert math.isnan(found["block_cosine"]) and math.isfinite(found["routing_entropy"])


def test_a_fresh_model_has_no_gradient_to_compare():
    found = columns_of(std=0.0)
    assert math.isnan(found["grad_decay_ratio"]) and found["fwd_rms_ratio"] == 1
    assert found["block_cosine"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("path", PATHS)
def test_both_ends_of_a_path_are_finite(path):
    transport = Transport(PATHS[path])
    times = time_grid(9, transport)
    assert len(times) == 9 and times[0] == 0 and times[-1] == transport.train_span[1]
    assert all(map(math.isfinite, columns_of(transport=transport).values()))


def test_more_images_than_there_are_come_again_with_other_noise():
    n = DIGITS.n_val
    batch = validation_batch(DIGITS, n + 1)
    assert torch.equal(batch.x1[0], batch.x1[n]) and not torch.equal(batch.x0[0], batch.x0[n])


def test_signs_are_even_and_always_the_same():
    signs = random_signs(2, 3, 16, 32)
    assert torch.equal(signs, random_signs(2, 3, 16, 32)) and signs.unique().tolist() == [-1, 1]
    assert abs(signs.double().mean()) < 0.1
