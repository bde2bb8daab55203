"""One trial from the command line: the one that a sweep would run."""

import pytest

from darbench import registry
from darbench.errors import BadInput
from darbench.records.settings import Repa, Stochastic
from darbench.search.load import load_trial
from tests.make.spaces import load

SIGNATURES = registry.signatures()


def trial(*overrides: str, routing: str = "dar", seed: int = 0):
    return load_trial(routing, "digits-nano", overrides, seed, SIGNATURES)


def test_a_single_trial_is_the_one_a_sweep_would_run(tmp_path):
    space = load(tmp_path, "variants: [{routing: dar, params: {span: 8}}]\nseeds: [5]")
    swept = next(space.grid()).trial(5, "confirm")
    alone = trial("params.span=8", seed=5)
    assert alone == swept and alone.id == swept.id


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("params.spam=3", "'spam'; did you mean span"),
        ("params.span=four", "^span='four': must be int"),
        ("params.span=[2,4]", "params.span: one trial takes one value"),
        ("params.span={low: 1, high: 4, step: 1}", "params.span: one trial takes one value"),
        ("params.span=[", "write KEY=VALUE"),
        ("params.span", "write KEY=VALUE"),
        ("variants=[{routing: add}]", "one trial has one"),
        ("training.stepz=3", "did you mean training.steps"),
    ],
)
def test_a_single_trial_refuses_what_is_none(override, said):
    with pytest.raises(BadInput, match=said) as refused:
        trial(override)
    assert "\n" not in str(refused.value)


def test_a_single_trial_of_an_unknown_name_or_seed():
    with pytest.raises(BadInput, match=r"^unknown routing 'dra'; did you mean dar"):
        trial(routing="dra")
    with pytest.raises(BadInput, match="unknown task 'digit'; did you mean digits-nano"):
        load_trial("dar", "digit", [], 0, SIGNATURES)
    with pytest.raises(BadInput, match="between 0 and"):
        trial(seed=2**63)


NESTED = [
    "training.objective=repa",
    "training.repa.layer=6",
    "training.repa.encoder=timm:resnet18",
    "training.repa.weights=a/b.safetensors",
    "training.path=GVP",
    "evaluation.sampler=euler_maruyama",
    "evaluation.sde.form=increasing-decreasing",
    "evaluation.sde.last_step=none",
]


def test_settings_within_settings_compose():
    trial = load_trial("dar", "digits-nano", NESTED, 1, SIGNATURES)
    repa = Repa(layer=6, encoder="timm:resnet18", weights="a/b.safetensors")
    assert (trial.training.objective, trial.training.repa) == ("repa", repa)
    assert trial.evaluation.sde == Stochastic(form="increasing-decreasing", last_step="none")
    assert trial.training.path == "GVP"
