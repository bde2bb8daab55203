"""The long form as arrays: every number at its place, means over seeds and their spread."""

import math

import numpy as np
import polars as pl
import pytest

from darbench.pages.arrays import arrays
from darbench.store.diagnostics import SCHEMA
from tests.make.diagnoses import TIMES, table, value


def test_every_number_of_one_trial_stands_at_its_place():
    found = dict(arrays(table(("a", 0, True))))
    z = found["rms_z"]
    assert z.axes == {"t": TIMES, "k": [0, 1, 2]} and z.spread is None and z.log
    assert z.values[3, 1] == pytest.approx(value("rms_z", TIMES[3], 1, 0), rel=1e-12)
    v = found["rms_grad_v"]
    assert v.axes == {"t": TIMES, "j": [*range(5)]}
    assert v.values[8, 4] == pytest.approx(value("rms_grad_v", 1.0, 0, 4), rel=1e-12)
    matrix = found["routing_matrix"].values
    assert matrix[2, 3, 1] == value("routing_matrix", TIMES[2], 3, 1) and np.isnan(matrix[2, 1, 3])
    entropy = found["routing_entropy"]
    known = [value("routing_entropy", TIMES[4], site, 0) for site in range(5)]
    assert entropy.axes == {"t": TIMES}
    assert entropy.values[4] == pytest.approx(sum(known) / 5, rel=1e-12)
    assert found["probe_r2_input"].values.shape == ()


def test_means_over_seeds_are_geometric_where_ratios_count_and_have_a_spread():
    found = dict(arrays(table(("a", 0, False), ("b", 1, False), ("c", 5, False))))
    seeds = [value("rms_z", TIMES[1], 2, 0, seed) for seed in (0, 1, 5)]
    z = found["rms_z"]
    assert z.values[1, 2] == pytest.approx(math.prod(seeds) ** (1 / 3), rel=1e-12)
    assert z.spread[1, 2] == pytest.approx(np.std(np.log(seeds), ddof=1), rel=1e-9)
    cosines = [value("block_cosine", TIMES[1], 2, 0, seed) for seed in (0, 1, 5)]
    assert found["block_cosine"].values[1, 2] == pytest.approx(np.mean(cosines), rel=1e-12)
    assert "softmax_weights" not in found


def test_sources_of_one_softmax_that_share_their_newest_output_are_added():
    weights = ((-1, 0.5), (1, 0.2), (1, 0.3))
    rows = [("a", "softmax_weights", 1, j, 0.0, w, None) for j, w in weights]
    found = dict(arrays(pl.DataFrame(rows, schema=SCHEMA, orient="row")))["softmax_weights"]
    assert found.axes == {"t": [0.0], "k": [1], "j": [-1, 1]}
    assert found.values.tolist() == [[[0.5, 0.5]]]


def test_what_has_no_logarithm_and_what_a_seed_lacks_is_missing():
    rows = [("a", "rms_z", k, None, 0.0, v, None) for k, v in ((0, 1.0), (1, 0.0))]
    rows += [("b", "rms_z", 1, None, 0.0, 2.0, None)]
    found = dict(arrays(pl.DataFrame(rows, schema=SCHEMA, orient="row")))["rms_z"]
    assert np.isnan(found.values).tolist() == [[True, True]]
