"""Measures of shares in closed form."""

import numpy as np
import pytest

from darbench.diagnose.measured import Measured
from darbench.diagnose.measures import (
    entropy,
    lookback,
    matrix_measures,
    shares,
    softmax_measures,
    variation,
)


def test_of_plain_addition_every_number_is_known():
    matrix = np.tril(np.ones((5, 5)))
    found = matrix_measures(Measured(np.stack([matrix, matrix]), ("t", "i", "j")))
    counts = np.arange(1, 6)
    for name, wanted in (
        ("routing_entropy", np.log(counts)),
        ("routing_effective", counts),
        ("routing_lookback", (counts - 1) / 2),
    ):
        np.testing.assert_allclose(found[name].values, np.stack([wanted] * 2), atol=1e-15)
    assert found["routing_variation"].values.tolist() == [0] * 5


def test_shares_know_no_sign_and_leave_out_what_is_not_there():
    assert shares(np.array([-3.0, 1.0, np.nan])).tolist() == [0.75, 0.25, 0]
    assert np.isnan(shares(np.zeros(3))).all()


def test_one_source_has_no_entropy_and_equal_ones_have_the_most():
    assert entropy(np.array([0.0, 1.0])) == 0
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8), rel=1e-15)


def test_the_look_back_counts_from_the_newest_output():
    newest, oldest = np.eye(4)[None], np.eye(4)[[0] * 4][None]
    outputs = np.broadcast_to(range(4), (4, 4))
    assert lookback(newest, outputs).tolist() == [[0, 0, 0, 0]]
    assert lookback(oldest, outputs).tolist() == [[0, 1, 2, 3]]


def test_what_is_on_no_output_has_no_look_back():
    outputs = np.array([[0, -1], [1, -1]])
    p = np.array([[[0.5, 0.5], [0.0, 1.0]]])
    found = lookback(p, outputs)
    assert found[0, 0] == 0 and np.isnan(found[0, 1])


def test_variation_is_one_for_every_move_of_all_weight():
    p = np.array([[[1.0, 0]], [[0, 1.0]], [[0, 1.0]], [[1.0, 0]]])
    assert variation(p).tolist() == [2]
    assert variation(p[::3]).tolist() == [0]
    assert variation(np.linspace(p[0], p[1], 9)) == pytest.approx([1])


def test_softmax_weights_have_the_same_measures():
    weights = np.array([[[1.0, np.nan], [0.25, 0.75]]])
    source = np.array([[0, -1], [0, 1]])
    found = softmax_measures(Measured(weights, ("t", "i", "s")), Measured(source, ("i", "s")))
    assert found["softmax_lookback"].values.tolist() == [[0, 0.25]]
    wanted = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    np.testing.assert_allclose(found["softmax_entropy"].values, [[0, wanted]])
    np.testing.assert_allclose(found["softmax_effective"].values, [[1, np.exp(wanted)]])
