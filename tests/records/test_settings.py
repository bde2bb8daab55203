"""The settings that are refused, and the names in the messages."""

import math
from dataclasses import replace

import pytest

from darbench.records.settings import Evaluation, Model, Repa, Stochastic, Training


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Training, "steps", 0),
        (Training, "batch", 0),
        (Training, "lr", 0.0),
        (Training, "lr", math.inf),
        (Training, "weight_decay", -1.0),
        (Training, "warmup", -1),
        (Training, "ema", 1.0),
        (Training, "label_dropout", 1.0),
        (Training, "timeout_s", 0.0),
        (Training, "timeout_s", math.inf),
        (Training, "timeout_s", 1e10),
        (Training, "checkpoints", (0.5, 0.5, 1.0)),
        (Training, "checkpoints", (0.0, 1.0)),
        (Evaluation, "n_gen", 1),
        (Evaluation, "sampler", "euhler"),
        (Evaluation, "sampler_steps", 0),
        (Evaluation, "guidance", 0.5),
        (Evaluation, "guidance", math.nan),
        (Evaluation, "fd_from", 1.5),
        (Evaluation, "val_draws", 0),
        (Evaluation, "grid", -1),
        (Model, "mlp_ratio", 0.0),
        (Model, "mlp_hidden", 0),
        (Model, "skip", "always"),
        (Model, "gate", "sigmoid"),
        (Training, "objective", "repo"),
        (Training, "path", "linear"),
        (Training, "weighting", "likely"),
        (Training, "weighting", "likelihood"),
        (Training, "schedule", "step"),
        (Training, "keep_weights", "first"),
        (Training, "decay", 0.0),
        (Training, "decay", 1.1),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(cls, name, value):
    with pytest.raises(ValueError, match=rf"^{cls.__name__.lower()}\.{name}="):
        cls(**{name: value})


@pytest.mark.parametrize(
    ("cls", "prefix", "name", "value"),
    [
        (Repa, "training.repa", "layer", 0),
        (Repa, "training.repa", "coefficient", 0.0),
        (Repa, "training.repa", "hidden", 0),
        (Repa, "training.repa", "size", 0),
        (Stochastic, "evaluation.sde", "form", "sbdm"),
        (Stochastic, "evaluation.sde", "norm", -1.0),
        (Stochastic, "evaluation.sde", "last_step", "mean"),
        (Stochastic, "evaluation.sde", "last_step_size", 1.0),
    ],
)
def test_settings_within_settings_are_refused_by_their_whole_name(cls, prefix, name, value):
    with pytest.raises(ValueError, match=rf"^{prefix}\.{name}="):
        cls(**{name: value})


def test_settings_without_effect_are_refused():
    with pytest.raises(ValueError, match=r"^training\.objective=velocity: must be repa where"):
        Training(repa=Repa(layer=3))
    with pytest.raises(ValueError, match=r"^training\.objective=data: must be repa where"):
        Training(objective="data", repa=Repa(layer=3))
    with pytest.raises(ValueError, match=r"^training\.weighting=velocity: must be none unless"):
        Training(objective="data", weighting="velocity")
    with pytest.raises(ValueError, match=r"^evaluation\.sampler=heun: must be euler_maruyama or"):
        Evaluation(sde=Stochastic(form="linear"))
    with pytest.raises(ValueError, match=r"last_step_size=0\.1: must be 0\.04 where last_step is"):
        Stochastic(last_step="none", last_step_size=0.1)
    Stochastic(last_step="none")
    with pytest.raises(ValueError, match=r"decay=0\.5: must be 0\.4 where training\.schedule is"):
        Training(decay=0.5)
    Training(schedule="linear", decay=1.0)


def test_the_last_step_of_an_sde_is_one_of_its_steps():
    with pytest.raises(ValueError, match="sampler_steps=1: must be at least 2"):
        Evaluation(sampler="heun_sde", sampler_steps=1)
    Evaluation(sampler="heun_sde", sampler_steps=1, sde=Stochastic(last_step="none"))


def test_a_plain_backbone_is_that_of_a_control_without_what_makes_it_one():
    backbone = Model(depth=3, width=8, heads=2, mlp_ratio=2.0, zero_t_embed=True)
    control = replace(backbone, skip="time", gate="one_plus", mlp_hidden=40)
    assert control.plain == backbone == backbone.plain
