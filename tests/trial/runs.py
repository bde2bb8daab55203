"""Trials of the tests under way, before their first step."""

from functools import partial

from darbench.records.settings import Repa
from darbench.trial.train import Run
from tests.make.trials import tiny_trial

aligned = partial(Repa, encoder="digits-cnn")  # as a composed task has it


def begin(*args, **kwargs):
    return Run(tiny_trial(*args, **kwargs), "cpu")
