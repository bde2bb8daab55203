"""The width of MLPs with which `add` costs as much as a variant does, a control for its gain."""

from collections.abc import Callable
from dataclasses import replace

import torch

from darbench.data import Dataset, Kind, kind, load
from darbench.errors import BadInput
from darbench.records.trial import Trial
from darbench.trial.build import build_model
from darbench.trial.cost import training_flops
from darbench.trial.recipe import make_objective


def widened(add: Trial, variant: Trial, measure: str) -> tuple[int, float]:
    """Return the width of `add`'s MLPs, and by which fraction it then costs more than the variant.

    measure: one of MEASURES, which are linear in the width. The width is a whole number, so half a
    feature may be missing or left. BadInput if `add` costs as much already, to half a
    feature. Nothing is allocated.
    """
    of, model = MEASURES[measure], add.model
    data = _data(add)

    def cost(hidden: int) -> float:
        return of(replace(add, model=replace(model, mlp_hidden=hidden)), data)

    plain, wanted = int(model.width * model.mlp_ratio), of(variant, data)
    least = cost(plain)
    hidden = plain + round((wanted - least) / (cost(plain + 1) - least))
    if hidden <= plain:
        raise BadInput(
            f"{measure}: {wanted:,.0f}, and `add` has {least:,.0f}; it can be matched only to a "
            "variant that costs more, by half a feature of its MLPs at least"
        )
    return hidden, cost(hidden) / wanted - 1


def parameters(trial: Trial, data: Dataset | Kind) -> float:
    """Return the number of parameters of a trial's model."""
    with torch.device("meta"):
        model = _model(trial, data)
    return float(sum(p.numel() for p in model.parameters()))


def flops(trial: Trial, data: Dataset | Kind) -> float:
    """Return the training FLOPs of a step of a trial."""
    with torch.device("meta"):
        model = _model(trial, data)
    return training_flops(trial, data, make_objective(trial.training, model, seed=0))[0]


MEASURES: dict[str, Callable[[Trial, Dataset | Kind], float]] = {
    "parameters": parameters,
    "flops": flops,
}


def _data(trial: Trial) -> Dataset | Kind:
    known = kind(trial.task.data)
    return load(trial.task.data, trial.task.data_path) if known.files else known


def _model(trial: Trial, data: Dataset | Kind) -> torch.nn.Module:
    return build_model(
        trial.variant.routing, dict(trial.variant.params), trial.model, data, seed=0
    )
