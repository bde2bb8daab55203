"""What a few times alone give is what all times at once give."""

from functools import partial

import numpy as np
import pytest

from darbench.diagnose.batch import random_signs
from darbench.diagnose.in_turn import in_turn
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.symptoms import symptoms
from darbench.diagnose.weights import softmax_weights
from tests.diagnose.models import TIMES, TOKENS, WIDTH, batch_of, model_of


@pytest.mark.parametrize("count", [1, 2])
def test_a_few_times_after_the_other_give_the_numbers_of_all_at_once(count):
    model, batch = model_of("dar"), batch_of()
    signs = random_signs(1, 2, TOKENS, WIDTH)
    for analysis in (symptoms, partial(routing_matrix, signs=signs), softmax_weights):
        parts = in_turn(partial(analysis, model, batch), TIMES, count)
        for name, whole in analysis(model, batch, TIMES).items():
            np.testing.assert_allclose(parts[name].values, whole.values, rtol=1e-9, atol=1e-12)
            assert parts[name].axes == whole.axes
