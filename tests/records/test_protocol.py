import dataclasses
import subprocess
import sys

import pytest

from darbench.data import from_files, load
from darbench.data.catalogue import names
from darbench.metrics.extractors import lite0
from darbench.metrics.extractors.extractor import _EXTRACTORS
from darbench.metrics.extractors.inception import SHA256
from darbench.metrics.extractors.small_cnn import DIGITS, PHOTOS, SHAPES
from darbench.records import rules
from darbench.records.protocol import FINGERPRINTS, _read, protocol, protocol_hash
from darbench.records.settings import Evaluation, Model, Stochastic, Training
from darbench.records.trial import Variant
from tests.make.trials import toy_trial

TRIAL = toy_trial(pair_id=3)


def of(**changes):
    return protocol_hash(dataclasses.replace(TRIAL, **changes))


def test_the_protocol_is_how_it_is_measured_not_what_is_trained():
    def task(**changes):
        return dataclasses.replace(TRIAL.task, **changes)

    same = [
        of(model=Model(depth=4, width=16, heads=2)),
        of(training=Training(steps=7, lr=1.0)),
        of(variant=Variant(routing="dar")),
        of(pair_id=9),
        of(evaluation=Evaluation(grid=3)),
        of(evaluation=Evaluation(fd_from=0.25)),
        of(evaluation=Evaluation(redraws=4)),
        of(task=task(data_path="elsewhere", summary="other")),
    ]
    others = [
        of(training=Training(ema=0.5)),
        of(evaluation=Evaluation(n_gen=100)),
        of(evaluation=Evaluation(val_draws=1)),
        of(evaluation=Evaluation(sampler_steps=9)),
        of(evaluation=Evaluation(sampler="heun_sde")),
        of(evaluation=Evaluation(guidance=2.0)),
        of(evaluation=Evaluation(fdr_extractors=("efficientnet-lite0",))),
        of(evaluation=Evaluation(sampler="heun_sde", sde=Stochastic(norm=2.0))),
        of(task=task(data="shapes")),
        of(task=task(fingerprint="0")),
        of(task=task(version=2)),
        of(task=task(extractor="shapes-cnn")),
        of(task=task(name="other")),
    ]
    assert set(same) == {protocol_hash(TRIAL)}
    assert len({protocol_hash(TRIAL), *others}) == 1 + len(others)


def test_the_path_is_part_of_the_protocol_and_the_prediction_is_not():
    """The validation loss is that of the velocity, whatever is predicted, but of this path's."""
    found = {
        (path, objective): of(training=Training(path=path, objective=objective))
        for path in ("Linear", "GVP")
        for objective in ("velocity", "noise", "repa")
    }
    assert found["Linear", "velocity"] == protocol_hash(TRIAL)
    assert len({found["Linear", o] for o in ("velocity", "noise", "repa")}) == 1
    assert found["Linear", "velocity"] != found["GVP", "velocity"]


@pytest.mark.parametrize("name", [name for name in vars(rules) if name.isupper()])
def test_every_rule_is_part_of_the_protocol(monkeypatch, name):
    before = protocol_hash(TRIAL)
    monkeypatch.setattr(rules, name, 41)
    assert protocol_hash(TRIAL) != before


def test_other_data_or_weights_under_the_same_name_are_another_protocol(tmp_path, monkeypatch):
    before = protocol(TRIAL)
    (tmp_path / "fingerprints.json").write_text('{"digits": "0"}')
    (tmp_path / "digits-cnn.json").write_text('{"sha256": "1234567890abcdef0000"}')
    monkeypatch.setattr("darbench.records.protocol.FINGERPRINTS", tmp_path / "fingerprints.json")
    monkeypatch.setattr("darbench.records.protocol.WEIGHTS", tmp_path)
    after = protocol(TRIAL)
    assert {name for name in before if before[name] != after[name]} == {
        "data.fingerprint",
        "extractor.weights",
    }
    assert after["extractor.weights"] == "1234567890abcdef"


def test_recorded_fingerprints_are_those_of_the_data_that_ship():
    ships = [name for name in names() if not from_files(name)]
    assert _read(FINGERPRINTS) == {name: load(name).fingerprint for name in ships}


def test_every_extractor_has_its_weights_in_the_protocol():
    full = {c.name: c.read_record()["sha256"] for c in (DIGITS, SHAPES, PHOTOS)}
    full |= {"inception-v3-compat": SHA256, lite0.NAME: lite0.SHA256}
    for name in _EXTRACTORS:
        task = dataclasses.replace(TRIAL.task, extractor=name)
        found = protocol(dataclasses.replace(TRIAL, task=task))["extractor.weights"]
        assert found == full[name][:16]


def test_a_protocol_is_written_without_torch():
    code = "import sys, darbench.records.schema; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
