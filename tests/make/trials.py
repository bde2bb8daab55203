"""Trials: `toy_trial` never runs, `tiny_trial` trains on digits in a fraction of a second."""

from dataclasses import replace

from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.records.trial import Trial, Variant
from darbench.registry import ROUTINGS

STEPS = 400  # of a toy trial of `add`
DIGITS = Task(name="digits-nano", data="digits", extractor="digits-cnn", rank_by="val_loss")
TINY = Model(depth=2, width=32, heads=4)


def toy_trial(
    routing: str = "add",
    pair_id: int = 0,
    *,
    label: str = "",
    params: dict | None = None,
    code: str = "c0",
    split: str = "confirm",
    lr: float = 6e-3,
    schedule: str = "constant",
    depth: int = 2,
    model: dict | None = None,
    objective: str = "velocity",
    extractor: str = "digits-cnn",
    rank_by: str = "val_loss",
    data: str = "digits",
    evaluation: Evaluation | None = None,
) -> Trial:
    return Trial(
        task=Task(name="toy", data=data, extractor=extractor, rank_by=rank_by),
        model=Model(depth=depth, width=8, heads=2, **(model or {})),
        training=Training(steps=STEPS, lr=lr, schedule=schedule, objective=objective),
        evaluation=evaluation or Evaluation(),
        variant=Variant(routing=routing, params=params or {}, label=label),
        pair_id=pair_id,
        split=split,
        code_hash=code,
    )


def tiny_trial(
    routing: str = "add",
    *,
    task: Task = DIGITS,
    model: Model = TINY,
    pair_id: int = 0,
    params: dict | None = None,
    **changes,
) -> Trial:
    """A trial of three steps; `changes` to fields of Training and Evaluation."""
    training = {"steps": 3, "batch": 8, "lr": 6e-3, "ema": 0.5, "checkpoints": (0.5, 1.0)}
    evaluation = {"n_gen": 64, "sampler_steps": 2, "val_draws": 1, "grid": 10, "fd_from": 1.0}
    evaluation["diagnose"] = False
    of_training = {k: v for k, v in changes.items() if k in Training.__dataclass_fields__}
    of_evaluation = {k: v for k, v in changes.items() if k in Evaluation.__dataclass_fields__}
    assert len(of_training) + len(of_evaluation) == len(changes)
    return Trial(
        task=task,
        model=model,
        pair_id=pair_id,
        training=Training(**training | of_training),
        evaluation=Evaluation(**evaluation | of_evaluation),
        variant=Variant(routing=routing, params=params or {}),
    )


def trial_of_now(**changes) -> Trial:
    """A tiny trial of `add` with the source that it has."""
    return replace(tiny_trial(**changes), code_hash=ROUTINGS.source_hash("add"))
