"""The steps at which a trial reports, and how many it makes."""

import pytest

from darbench.records.settings import Training
from darbench.trial.schedule import checkpoint_steps


def test_checkpoints_are_the_first_steps_whose_flops_reach_their_mark():
    training = Training(steps=100, checkpoints=(0.1, 0.25, 0.5, 1.0))
    for flops in (1.0, 1.37, 2.0, 7.0, 33.3):
        steps = checkpoint_steps(training, flops, add_flops=1.0)
        assert steps[-1] * flops >= 100 > (steps[-1] - 1) * flops
        for mark in training.checkpoints:
            first = next(k for k in range(1, 200) if k * flops >= mark * 100 - 1e-9)
            assert first in steps


@pytest.mark.parametrize("steps", [1, 7, 60, 100, 500, 1000])
def test_add_makes_exactly_its_steps_with_marks_that_have_no_exact_binary_form(steps):
    marks = tuple(k / 100 for k in range(1, 101))
    training = Training(steps=steps, checkpoints=marks)
    wanted = sorted({-(-k * steps // 100) for k in range(1, 101)})
    assert checkpoint_steps(training, flops=3.3e9, add_flops=3.3e9) == wanted


def test_a_costly_variant_makes_one_step_at_least_and_marks_may_meet():
    training = Training(steps=3, checkpoints=(0.1, 0.5, 1.0))
    assert checkpoint_steps(training, flops=10.0, add_flops=1.0) == [1]
