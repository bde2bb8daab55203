"""All analyses together: what one time alone gives is what all times at once give."""

from functools import partial

import numpy as np
import torch

from darbench.data import load
from darbench.diagnose.batch import random_signs
from darbench.diagnose.long_form import COLUMNS, long_form
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.measured import Measured
from darbench.diagnose.symptoms import symptoms
from darbench.diagnose.weights import softmax_weights
from darbench.diagnose.whole import TIMES as COUNT
from darbench.diagnose.whole import one_by_one, whole_diagnosis
from tests.diagnose.models import TIMES, TOKENS, WIDTH, batch_of, model_of
from tests.make.models import sit


def test_time_by_time_the_numbers_are_those_of_all_times_at_once():
    model, batch = model_of("dar"), batch_of()
    signs = random_signs(1, 2, TOKENS, WIDTH)
    for analysis in (symptoms, partial(routing_matrix, signs=signs), softmax_weights):
        alone = one_by_one(partial(analysis, model, batch), TIMES)
        for name, together in analysis(model, batch, TIMES).items():
            np.testing.assert_allclose(alone[name].values, together.values, rtol=1e-9, atol=1e-12)
            assert alone[name].axes == together.axes


def test_the_long_form_has_a_row_for_every_number_that_is_there():
    found = {
        "rms_z": Measured(np.array([[1.0, 2.0]]), ("t", "k"), error=np.array([[0.1, np.nan]])),
        "softmax_weights": Measured(np.array([[[1.0, np.nan], [0.25, 0.75]]]), ("t", "i", "s")),
        "softmax_source": Measured(np.array([[0, -1], [0, 1]]), ("i", "s")),
        "probe_r2_input": Measured(np.array(0.8), ()),
    }
    rows = [tuple(row.values()) for row in long_form(found, np.array([0.5]))]
    assert rows == [
        ("rms_z", 0, None, 0.5, 1.0, 0.1),
        ("rms_z", 1, None, 0.5, 2.0, None),
        ("softmax_weights", 0, 0, 0.5, 1.0, None),
        ("softmax_weights", 1, 0, 0.5, 0.25, None),
        ("softmax_weights", 1, 1, 0.5, 0.75, None),
        ("probe_r2_input", None, None, None, 0.8, None),
    ]


def test_a_model_that_reads_by_softmax_has_all_analyses_in_the_long_form():
    model = sit(("dar", {}), depth=2, channels=1, classes=10).eval()
    found, times = whole_diagnosis(model, load("digits", ""))
    rows = [*long_form(found, times)]
    assert {row["analysis"] for row in rows} == found.keys() - {"softmax_source"}
    assert len(times) == COUNT and {row["t"] for row in rows} == {*times, None}
    assert all(row.keys() == {*COLUMNS} for row in rows)
    assert torch.is_grad_enabled()
