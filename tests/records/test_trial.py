"""The identity of a trial: which settings move it, and which do not."""

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darbench.records.protocol import protocol_hash
from darbench.records.settings import Repa, Stochastic, Training
from darbench.records.trial import Variant
from tests.make.trials import toy_trial

TRIAL = toy_trial("dar", params={"span": 4, "query": "static"}, label="dar")
NO_IDENTITY = {
    "task": {"data_path", "hours", "noise", "rank_by", "summary", "quick"},
    "model": {"size"},
    "training": {
        *("micro_batch", "timeout_s", "keep_weights", "save_every_s", "save_to", "init_from")
    },
    "evaluation": {"grid", "diagnose"},
    "variant": {"label"},
}
OTHER = {
    str: "other",
    int: 41,
    float: 0.77,
    bool: True,
    type(None): 3,
    tuple: (0.9, 1.0),
    dict: {"span": 5, "query": "static"},
}
ALLOWED = {
    "sampler": "euler",
    "fd_from": 0.25,
    "guidance": 1.5,
    "ema": 0.5,
    "precision": "bfloat16",
    "objective": "noise",
    "path": "GVP",
    "weighting": "velocity",
    "schedule": "cosine",
    "keep_weights": "last",
    "skip": "time",
    "gate": "one_plus",
    "diagnose": False,
    "repa": Repa(coefficient=0.25),
    "sde": Stochastic(form="linear"),
}
# Without which a field must be left alone.
NEEDS = {
    "weighting": {"objective": "noise"},
    "decay": {"schedule": "linear"},
    "repa": {"objective": "repa"},
    "sde": {"sampler": "euler_maruyama"},
}
FIELDS = [
    (room, field.name)
    for room in NO_IDENTITY
    for field in dataclasses.fields(getattr(TRIAL, room))
]


@pytest.mark.parametrize(("room", "name"), FIELDS)
def test_an_id_changes_with_what_decides_the_result_and_with_nothing_else(room, name):
    part = dataclasses.replace(getattr(TRIAL, room), **NEEDS.get(name, {}))
    value = ALLOWED[name] if name in ALLOWED else OTHER[type(getattr(part, name))]
    trial = dataclasses.replace(TRIAL, **{room: part})
    other = dataclasses.replace(TRIAL, **{room: dataclasses.replace(part, **{name: value})})
    assert other != trial
    assert (other.id == trial.id) == (name in NO_IDENTITY[room])
    assert (other.config_hash == trial.config_hash) == (name in NO_IDENTITY[room])


def test_fields_that_came_later_leave_older_ids_alone():
    """Their defaults say what used to be the only way, so they are not spelled out."""
    configuration = TRIAL.configuration()
    assert set(configuration["training"]) == {
        "steps",
        "batch",
        "lr",
        "weight_decay",
        "warmup",
        "ema",
        "label_dropout",
        "checkpoints",
    }
    assert set(configuration["model"]) == {
        "depth",
        "width",
        "heads",
        "patch",
        "mlp_ratio",
        "learn_sigma",
        "zero_t_embed",
    }
    assert set(configuration["evaluation"]) == {
        "n_gen",
        "sampler",
        "sampler_steps",
        "guidance",
        "fd_from",
        "val_draws",
    }


def test_where_the_weights_of_an_encoder_lie_is_no_part_of_an_id():
    def the_id(weights):
        repa = Repa(encoder="timm:resnet18", weights=weights)
        training = Training(objective="repa", repa=repa)
        return dataclasses.replace(TRIAL, training=training).id

    assert the_id("/here/a.safetensors") == the_id("/there/a.safetensors")
    assert the_id("/here/a.safetensors") != the_id("/here/b.safetensors")


def test_the_size_of_an_encoder_is_part_of_an_id_where_it_is_given():
    def the_id(**size):
        repa = Repa(encoder="timm:vit_tiny_patch16_224", weights="a.safetensors", **size)
        training = Training(objective="repa", repa=repa)
        assert ("size" in training.identity()["repa"]) == (size.get("size") is not None)
        return dataclasses.replace(TRIAL, training=training).id

    assert the_id() == the_id(size=None) != the_id(size=224) != the_id(size=96)


def test_split_and_source_are_no_part_of_an_id_but_the_seed_is():
    replaced = dataclasses.replace(TRIAL, split="search", code_hash="d")
    assert replaced.id == TRIAL.id
    assert dataclasses.replace(TRIAL, pair_id=1).id != TRIAL.id


@given(st.integers(1, 9), st.permutations(["query", "span", "history"]), st.integers(0, 2**63 - 1))
def test_a_trial_survives_the_way_to_a_worker(span, order, seed):
    params = {"query": "static", "span": span, "history": "full"}
    variant = Variant(routing="dar", params={key: params[key] for key in order}, label="é")
    trial = dataclasses.replace(TRIAL, variant=variant, pair_id=seed)
    back = pickle.loads(pickle.dumps(trial))
    assert back == trial and back.id == trial.id


@pytest.mark.parametrize(
    ("room", "one", "other"),
    [
        ("training", {"weight_decay": 0.0}, {"weight_decay": -0.0}),
        ("training", {"label_dropout": 0.0}, {"label_dropout": -0.0}),
        ("training", {"ema": 0.0}, {"ema": -0.0}),
        ("training", {"lr": 1.0}, {"lr": 1}),
        ("training", {"lr": 1e-3}, {"lr": np.float64(0.001)}),
        ("training", {"checkpoints": (0.5, 1.0)}, {"checkpoints": (0.5, 1)}),
        ("evaluation", {"fd_from": 0.0}, {"fd_from": -0.0}),
        ("evaluation", {"guidance": 2.0}, {"guidance": 2}),
        ("model", {"mlp_ratio": 4.0}, {"mlp_ratio": 4}),
        ("model", {"depth": 4}, {"depth": np.int64(4)}),
    ],
)
def test_a_number_written_in_two_ways_is_one_setting(room, one, other):
    trials = [
        dataclasses.replace(TRIAL, **{room: dataclasses.replace(getattr(TRIAL, room), **given)})
        for given in (one, other)
    ]
    assert trials[0].id == trials[1].id
    assert protocol_hash(trials[0]) == protocol_hash(trials[1])
    values = [[*dataclasses.asdict(getattr(trial, room)).items()] for trial in trials]
    assert repr(values[0]) == repr(values[1])
