"""The contrast of two objectives, against a paired t interval of the differences by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.contrast import contrasts
from darbench.analysis.entries import entries
from tests.make.rows import BUDGET, entry_rows
from tests.make.trials import toy_trial

PAIRS = (0, 1, 2, 3, 4)
# val_loss over that of `add` by seed, with velocities and with data.
VELOCITY, DATA = (0.92, 0.95, 0.93, 0.94, 0.91), (0.99, 0.97, 1.0, 0.98, 1.01)


def rows_of(objective, ratios, routing="unet", seeds=PAIRS):
    """Rows of `add`, which is 1, 1.1 .. on the seeds, and of a routing with these ratios to it."""
    rows = entry_rows("add", seeds, objective=objective)
    for seed, ratio in zip(seeds, ratios, strict=False):
        rows += entry_rows(routing, (seed,), ratio=ratio, objective=objective)
    return rows


def found(rows, required=PAIRS):
    controls = {toy_trial("add", objective="data").config_hash: ""}
    seeds = {row["config_hash"]: required for row in rows}
    return [*contrasts(entries(rows, BUDGET, {}, seeds, controls), "val_loss")]


def test_a_contrast_is_the_paired_difference_of_two_log_ratios():
    (contrast,) = found([*rows_of("velocity", VELOCITY), *rows_of("data", DATA)])
    d = np.log(VELOCITY) - np.log(DATA)
    low, high = stats.t.interval(0.95, 4, d.mean(), stats.sem(d))
    assert contrast.entry.label == "unet"
    assert math.log1p(contrast.difference.mean) == pytest.approx(d.mean(), rel=1e-9)
    assert math.log1p(contrast.difference.low) == pytest.approx(low, rel=1e-9)
    assert math.log1p(contrast.difference.high) == pytest.approx(high, rel=1e-9)
    assert contrast.difference.n == 5
    wanted = [np.expm1(np.log(ratios).mean()) for ratios in (VELOCITY, DATA)]
    assert [contrast.velocity.mean, contrast.data.mean] == pytest.approx(wanted, rel=1e-9)


def test_noise_that_both_objectives_share_on_a_seed_cancels():
    shared = np.array([1.0, 1.2, 0.9, 1.1, 0.8])
    rows = [*rows_of("velocity", 0.9 * shared), *rows_of("data", 0.99 * shared)]
    (contrast,) = found(rows)
    assert contrast.difference.mean == pytest.approx(0.9 / 0.99 - 1, rel=1e-9)
    assert contrast.difference.high - contrast.difference.low < 1e-9
    assert contrast.velocity.high - contrast.velocity.low > 0.1


def test_a_contrast_needs_the_routing_and_its_add_with_both_objectives():
    velocity, data = rows_of("velocity", VELOCITY), rows_of("data", DATA)
    assert not found(velocity)
    assert not found([*velocity, *(row for row in data if row["routing"] == "unet")])
    assert not found([*velocity, *rows_of("data", DATA, routing="dar")])
    assert not found([*velocity, *rows_of("noise", DATA)])


def test_where_the_rate_is_tuned_objectives_with_other_rates_are_contrasted():
    rates = {"velocity": (1e-3, 2e-3), "data": (3e-3, 4e-3)}  # of add and unet
    rows, controls = [], {}
    for objective, (of_add, of_unet) in rates.items():
        rows += entry_rows("add", PAIRS, lr=of_add, objective=objective)
        ratio = {"velocity": 0.9, "data": 0.99}[objective]
        rows += entry_rows("unet", PAIRS, lr=of_unet, objective=objective, ratio=ratio)
    controls[toy_trial("add", lr=3e-3, objective="data").config_hash] = ""
    seeds = {row["config_hash"]: PAIRS for row in rows}
    present = entries(rows, BUDGET, {}, seeds, controls)
    assert not [*contrasts(present, "val_loss")]
    (contrast,) = contrasts(present, "val_loss", ["training.lr"])
    assert contrast.difference.mean == pytest.approx(0.9 / 0.99 - 1, rel=1e-9)


def test_a_contrast_of_survivors_has_no_interval():
    rows = [*rows_of("velocity", VELOCITY), *rows_of("data", DATA[:4], seeds=PAIRS[:4])]
    (contrast,) = found(rows)
    assert contrast.difference.n == 4 and contrast.difference.low is None
