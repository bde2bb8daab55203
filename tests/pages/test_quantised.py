"""Numbers in equal steps: none lies further than half a step from what its code stands for."""

import numpy as np
import pytest

from darbench.pages.quantised import COARSE, FINE, quantised


def decoded(codes, top, shape):
    planes = np.frombuffer(codes.data, np.uint8).reshape(1 if top == COARSE else 2, -1).astype(int)
    found = planes[0] + (256 * planes[1] if top == FINE else 0)
    step = (codes.high - codes.low) / (top - 1)
    return np.where(found == top, np.nan, codes.low + step * found).reshape(shape), step


@pytest.mark.parametrize("top", [COARSE, FINE])
def test_every_value_is_within_half_a_step_and_the_missing_stay_missing(top):
    values = np.random.default_rng(0).normal(0, 3, (7, 50))
    values[2, ::3] = np.nan
    values[0, 0] = np.inf
    codes = quantised(values, top)
    found, step = decoded(codes, top, values.shape)
    known = np.isfinite(values)
    assert (np.isnan(found) == ~known).all()
    assert np.abs(found - values)[known].max() <= step / 2 * (1 + 1e-9)
    assert (
        found[known].min() == values[known].min() and len(codes.data) == (1 + (top == FINE)) * 350
    )


def test_equal_values_and_none_at_all_are_coded():
    same, _ = decoded(quantised(np.full(4, 0.25), COARSE), COARSE, 4)
    assert same.tolist() == [0.25] * 4
    none, _ = decoded(quantised(np.full(3, np.nan), FINE), FINE, 3)
    assert np.isnan(none).all()
