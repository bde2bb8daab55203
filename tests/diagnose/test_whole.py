"""All analyses together, and their long form."""

import numpy as np
import torch

from darbench.data import load
from darbench.diagnose.long_form import COLUMNS, long_form
from darbench.diagnose.measured import Measured
from darbench.diagnose.whole import TIMES as COUNT
from darbench.diagnose.whole import whole_diagnosis
from tests.make.models import sit


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
