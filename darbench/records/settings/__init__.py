"""The settings of a trial: task, model, recipe, evaluation, each field with its rule and its doc.

Frozen keyword-only dataclasses of plain values, so that a configuration is checked without torch.
docs/settings.py writes docs/settings.md from them.
"""

from darbench.records.settings.evaluation import (
    DIFFUSIONS,
    LAST_STEPS,
    ODE_SAMPLERS,
    SDE_SAMPLERS,
    Evaluation,
    Stochastic,
)
from darbench.records.settings.model import GATES, PLAIN, SKIPS, Model
from darbench.records.settings.task import Task
from darbench.records.settings.training import (
    KEPT_WEIGHTS,
    OBJECTIVES,
    PATHS,
    PRECISIONS,
    SCHEDULES,
    WEIGHTINGS,
    Repa,
    Training,
)

__all__ = [
    "DIFFUSIONS",
    "GATES",
    "KEPT_WEIGHTS",
    "LAST_STEPS",
    "OBJECTIVES",
    "ODE_SAMPLERS",
    "PATHS",
    "PLAIN",
    "PRECISIONS",
    "SCHEDULES",
    "SDE_SAMPLERS",
    "SKIPS",
    "WEIGHTINGS",
    "Evaluation",
    "Model",
    "Repa",
    "Stochastic",
    "Task",
    "Training",
]
