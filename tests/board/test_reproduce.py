"""The command of an entry gives the trial that made it."""

import json
import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from darbench import registry
from darbench.board.reproduce import reproduce_command
from darbench.records.canonical import canonical_json
from darbench.search.compose import compose_trial
from darbench.search.load import build_trial, load_trial
from darbench.search.resolve import find_encoder
from tests.make.trials import toy_trial


@pytest.mark.parametrize(
    "value",
    [
        4,
        0.5,
        1e-5,
        True,
        None,
        "full",
        "null",
        "True",
        "1e3",
        "",
        "a b",
        "it's",
        "x,y=[z]{w}",
        "back\\slash",
        "trailing\\",
        "quote\\'",
        "$HOME",
        "${oc.env:HOME}",
        [0.25, 0.5, 1.0],
        ["a", None, "b c"],
        {"k": 1, "m": "n o"},
    ],
)
def test_the_command_gives_hydra_the_very_values(value):
    trial = toy_trial("dar", params={"value": value})
    words = shlex.split(reproduce_command(json.dumps(trial.configuration()), seed=2))
    assert words[:4] == ["darbench", "train", "--routing", "dar"]
    assert words[-2:] == ["--seed", "2"]
    parsed = OverridesParser.create().parse_overrides(words[4:-2])
    values = {override.key_or_group: override.value() for override in parsed}
    values = {k: getattr(v, "text", v) for k, v in values.items()}
    assert values["params.value"] == value
    assert type(values["params.value"]) is type(value)
    assert values["task.name"] == "toy"  # which no card has
    configuration = trial.configuration()
    for group in ("model", "training", "evaluation"):
        for key, expected in configuration[group].items():
            wanted = list(expected) if isinstance(expected, tuple) else expected
            assert values[f"{group}.{key}"] == wanted


def test_a_command_that_reproduces_settings_within_settings_gives_the_same_trial():
    overrides = [o for o in NESTED if "weights" not in o]  # of which only the file's name is kept
    trial = load_trial("dar", "digits-nano", overrides, 1, SIGNATURES)
    config_json = canonical_json(trial.configuration())
    words = shlex.split(reproduce_command(config_json, seed=1))
    assert words[4:6] == ["--task", "digits-nano"]
    again = load_trial("dar", "digits-nano", words[6:-2], 1, SIGNATURES)
    assert again.id == trial.id


SIGNATURES = registry.signatures()


def test_a_command_says_what_the_task_would_say_otherwise():
    """An identity does not say float32, the card says bfloat16."""
    composed = compose_trial("add", "imagenet256-b2", ["training.precision=float32"])
    trial = build_trial(find_encoder(composed), SIGNATURES)
    assert "precision" not in trial.training.identity()
    words = reproduce_command(canonical_json(trial.configuration()))
    assert "training.precision=float32" in words


def test_a_task_of_ones_own_is_spelled_out():
    changes = ["task.name=mine", "task.version=7", "task.data=shapes", "task.extractor=shapes-cnn"]
    trial = load_trial("add", "digits-nano", changes, 0, SIGNATURES)
    words = shlex.split(reproduce_command(canonical_json(trial.configuration())))
    assert "--task" not in words
    assert load_trial("add", "digits-nano", words[4:-2], 0, SIGNATURES).id == trial.id
    changed = load_trial("add", "digits-nano", ["task.version=7"], 0, SIGNATURES)
    words = shlex.split(reproduce_command(canonical_json(changed.configuration())))
    assert load_trial("add", "digits-nano", words[6:-2], 0, SIGNATURES).id == changed.id


def test_users_files_are_named_without_their_folders():
    config = toy_trial("mine").configuration()
    files = {"mine": "/home/ada/secret work/mine.py", "encoder other": "/else/where.py"}
    command = reproduce_command(json.dumps(config), files=files)
    assert command.startswith("darbench train --load mine.py --routing mine ")
    assert "ada" not in command and "where" not in command
    assert reproduce_command(json.dumps(config), files={"mine": ""}) == ""  # of a notebook


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
