import re

import pytest

from darbench.records.settings import Training
from darbench.registry import signatures
from darbench.search.files import cards, tasks_folder
from darbench.search.haste import hasty
from darbench.search.load import load_space


@pytest.mark.parametrize(
    ("given", "note"),
    [
        # (1 - 1e-4) ** 500 is exp(-0.05), to three digits.
        ({"ema": 0.9999, "steps": 500}, "training.ema=0.9999: after 500 steps .* still 95.1% the"),
        ({"ema": 0.9, "warmup": 30, "steps": 30}, "training.warmup=30: .* never reaches"),
    ],
)
def test_a_recipe_that_ends_too_soon_is_told(given, note):
    (told,) = hasty(Training(**given))
    assert re.match(note, told)


@pytest.mark.parametrize("given", [{"ema": 0.9999, "steps": 1100}, {"ema": 0.0, "warmup": 499}])
def test_a_recipe_that_is_long_enough_is_not(given):
    assert [*hasty(Training(**given))] == []


@pytest.mark.parametrize("task", cards(tasks_folder()))
def test_no_task_ends_too_soon(task, monkeypatch):
    monkeypatch.setattr("darbench.search.resolve.find_data", lambda task: {})
    space = load_space("dar_forms", [f"task={task}"], signatures())
    assert [*hasty(space.ground.training)] == []
