"""The check that a trial can be built, measured and compared, before anything runs."""

from pathlib import Path

import torch

from darbench.data import Dataset, Kind, kind, load
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.scores.missing import has_fdr
from darbench.model.outline import Outline
from darbench.model.sit import SiT
from darbench.model.weights_file import check_trunk
from darbench.records.settings import Evaluation, Training
from darbench.records.trial import Trial
from darbench.registry import ROUTINGS, is_built_in
from darbench.trial.build import build_model
from darbench.trial.conduct import Conduct
from darbench.trial.recipe import make_objective


def check(trial: Trial) -> None:
    """Raise ValueError if the trial cannot be built, measured or compared.

    Nothing is allocated, and data are read only where the user's files decide their shape. What a
    routing's own code raises is passed on.
    """
    known, routing = kind(trial.task.data), trial.variant.routing
    data = load(trial.task.data, trial.task.data_path) if known.files else known
    conduct = Conduct(routing, ROUTINGS.get(routing))
    with torch.device("meta"), Outline():
        model = build_model(routing, dict(trial.variant.params), trial.model, data, seed=0)
        if not is_built_in(routing):
            _check_conduct(conduct, model, data)
    if trial.training.init_from:
        check_trunk(model, Path(trial.training.init_from))
    model.routing.elementwise_flops(tokens=1)
    make_objective(trial.training, model, seed=0)
    _check_evaluation(trial.evaluation, trial.training)
    check_scores(trial, data)


def _check_conduct(conduct: Conduct, model: SiT, data: Dataset | Kind) -> None:
    """Raise BadInput if a pass in training leaves something behind, or draws what none may."""
    conduct.built(model.routing)
    x, t, label = torch.empty(2, *data.shape), torch.empty(2), torch.zeros(2, dtype=torch.long)
    with conduct.drawing():
        model(x, t, label)
    conduct.trained(model.routing)


def _check_evaluation(evaluation: Evaluation, training: Training) -> None:
    if evaluation.guidance != 1 and not training.label_dropout:
        raise ValueError(
            f"evaluation.guidance={evaluation.guidance}: needs training.label_dropout above 0, or "
            "the class it guides away from is never trained"
        )
    last_but_one = training.checkpoints[-2]
    if evaluation.fd_from > last_but_one:
        raise ValueError(
            f"evaluation.fd_from={evaluation.fd_from}: must be at most {last_but_one}, the last "
            "checkpoint but one; values at the budget lie between two checkpoints"
        )


def check_scores(trial: Trial, data: Dataset | Kind) -> None:
    """Raise ValueError if the task cannot be scored.

    Each extractor must have its weights and read such pictures, and there must be as many
    generated and as many reference pictures as it has features; for FDr in further extractors,
    more generated and more held-out pictures.
    """
    n_gen, further = trial.evaluation.n_gen, trial.evaluation.fdr_extractors
    _check_extractor("task.extractor", trial.task.extractor, data, n_gen)
    if trial.task.extractor in further:
        raise ValueError(
            f"evaluation.fdr_extractors={trial.task.extractor}: is the task's own, which counts "
            "without being named"
        )
    for name in further:
        _check_extractor("evaluation.fdr_extractors", name, data, n_gen)
        least = extractor_kind(name).features
        if not has_fdr(min(n_gen, data.n_val), least):
            raise ValueError(
                f"evaluation.fdr_extractors={name}: FDr takes more than {least} generated and "
                f"held-out pictures, the number of its features; there are {n_gen} and "
                f"{data.n_val}"
            )


def _check_extractor(setting: str, name: str, data: Dataset | Kind, n_gen: int) -> None:
    chosen = extractor_kind(name)
    if not chosen.ships:
        from darbench.metrics.extractors.extractor import extractor  # with torch-fidelity

        extractor(chosen.name)
    side = data.reference_images.shape[1] if isinstance(data, Dataset) else data.shape[1]
    if chosen.side not in (None, side):
        raise ValueError(
            f"{setting}={chosen.name}: reads images of {chosen.side} x {chosen.side}, "
            f"{data.name} are of {side} x {side}"
        )
    least = chosen.features
    if data.n_references < least:
        raise ValueError(
            f"{setting}={chosen.name}: needs {least} reference images at least, the number "
            f"of its features; {data.name} has {data.n_references}"
        )
    if n_gen < least:
        raise ValueError(
            f"evaluation.n_gen={n_gen}: must be at least {least}, the number of {name} features"
        )
