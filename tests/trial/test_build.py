"""A trunk that a trial starts with: all of a trained model but its routing."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from darbench.errors import BadInput
from darbench.files import file_hash
from darbench.trial.check import check
from darbench.trial.train import Run, train
from tests.make.trials import TINY, tiny_trial


@pytest.fixture
def trunk(tmp_path):
    """The averaged weights of a short training of `add`, and the settings that start with them."""
    *_, last = train(tiny_trial(keep_weights="last"))
    file = tmp_path / "add.safetensors"
    save_file(dict(last.weights), file)
    return file, {"init_from": str(file), "init_hash": file_hash(file), "fd_from": 0.5}


def test_variants_start_with_the_same_trunk_and_a_fresh_routing(trunk):
    file, started = trunk
    add, dar = (Run(tiny_trial(name, **started), "cpu") for name in ("add", "dar"))
    fresh = Run(tiny_trial("dar"), "cpu").learner.model.routing.state_dict()
    for run in (add, dar):
        for model in (run.learner.model, run.learner.ema):
            own = model.state_dict()
            assert all(torch.equal(own[name], x) for name, x in load_file(file).items())
    for name, x in dar.learner.ema.routing.state_dict().items():
        assert torch.equal(x, fresh[name])
    assert add.audit.columns["audit_init"] == dar.audit.columns["audit_init"]
    assert add.audit.columns["audit_init"] != Run(tiny_trial(), "cpu").audit.columns["audit_init"]


def test_what_is_trained_on_goes_on_from_there(trunk):
    _, started = trunk
    loss = [[*train(tiny_trial(**more))][-1].measured["val_loss"] for more in ({}, started)]
    assert loss[1] < loss[0]


def test_a_trunk_of_another_backbone_is_refused_before_anything_runs(trunk):
    _, started = trunk
    check(tiny_trial("dar", **started))
    with pytest.raises(BadInput, match=r"add\.safetensors: not this model's SiT state dict"):
        check(tiny_trial("dar", model=replace(TINY, depth=1), **started))


def test_a_file_that_is_another_one_by_now_starts_nothing(trunk):
    file, started = trunk
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(BadInput, match="is not there with hash"):
        Run(tiny_trial(**started), "cpu")
    file.unlink()
    with pytest.raises(BadInput, match="is not there with hash"):
        Run(tiny_trial(**started), "cpu")
