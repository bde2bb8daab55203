"""The task cifar10-small trained for real, on a small file of CIFAR-10's format."""

import json
from typing import ClassVar

import pytest
import torch

from darbench.commands.train import train_one
from darbench.data import load
from darbench.errors import BadInput
from darbench.metrics.extractors import catalogue
from darbench.metrics.extractors import extractor as extractors
from darbench.metrics.extractors.catalogue import ExtractorKind
from darbench.metrics.extractors.classifier import Classifier
from tests.make.data import write_cifar10
from tests.make.users import files, routing

FEATURES = 8
OVERRIDES = [
    "model.depth=1",
    "model.width=16",
    "model.heads=2",
    "model.patch=8",
    "training.steps=3",
    "training.batch=4",
    "training.checkpoints=[0.5,1.0]",
    "evaluation.n_gen=16",
    "evaluation.sampler_steps=1",
    "evaluation.grid=4",
]


class Net(torch.nn.Module):
    """A random projection of the pixels; the weights of Inception are too large for a test."""

    def __init__(self):
        super().__init__()
        weights = torch.Generator().manual_seed(0)
        self.matrix = torch.randn(3 * 32 * 32, FEATURES, generator=weights) / 255

    def forward(self, images):
        features = images.flatten(1).float() @ self.matrix
        return {"features": features, "logits": features[:, :4]}


KIND = ExtractorKind(
    name="projection",
    layers={"fid": "features", "kid": "features", "prc": "features", "isc": "logits"},
    widths={"features": FEATURES, "logits": 4},
    side=32,
    ships=False,
)


class Projection(Classifier):
    layers: ClassVar = KIND.layers
    side = 32

    @staticmethod
    def load_network():
        return Net(), "none"


@pytest.fixture
def fingerprint(tmp_path, monkeypatch):
    """The fingerprint of the data, which lie in the task's data_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARBENCH_INCEPTION", "nowhere.pth")
    monkeypatch.setenv("DARBENCH_CIFAR10", str(tmp_path / "cifar"))
    write_cifar10(tmp_path / "cifar")
    load.cache_clear()
    return load("cifar10", str(tmp_path / "cifar")).fingerprint


def test_it_trains_and_is_measured(fingerprint, monkeypatch):
    monkeypatch.setitem(catalogue._KINDS, "projection", KIND)
    monkeypatch.setitem(extractors._EXTRACTORS, "projection", Projection)
    said = []
    options = [*OVERRIDES, "task.extractor=projection", "training.ema=0.9", "training.warmup=3"]
    rows = train_one("add", "cifar10-small", options, say=said.append)
    assert said == [
        "cifar10-small: not the published data: 40 items to train on, not 50,000; 8 held out, "
        "not 10,000; only results on the same files compare",
        "training.warmup=3: no shorter than the training of 3 steps, which never reaches "
        "training.lr; give it a shorter one",
    ]
    assert [row["status"] for row in rows] == ["ok", "ok"] and rows[-1]["fd"] > 0
    assert {row["data_fingerprint"] for row in rows} == {fingerprint}
    assert json.loads(rows[0]["config_json"])["task"]["data"] == f"cifar10@{fingerprint}"


def test_without_inceptions_weights_it_is_refused(fingerprint):
    with pytest.raises(BadInput, match=r"no InceptionV3 weights at nowhere.pth; FID needs"):
        train_one("add", "cifar10-small", OVERRIDES)


COUNTING = routing(init="self.calls = 0", begin="self.calls += 1")


@pytest.mark.parametrize("verb", ["train --routing mine", "sweep --space mine.yaml --dry-run"])
def test_a_routing_with_a_counter_is_refused_in_one_line_before_anything_runs(
    run, tmp_path, own_registry, verb
):
    files(tmp_path, mine=COUNTING)
    (tmp_path / "mine.yaml").write_text(
        "defaults: [darbench: sweep, task: digits-nano, _self_]\n"
        "variants: [{routing: add}, {routing: mine}]\n"
    )
    code, out, err = run(*verb.split(), "--load", "mine.py")
    assert code == 2 and out == "" and "Traceback" not in err
    assert "routing mine: self.calls is changed by training; put it into a buffer" in err
    assert len(err.strip().splitlines()) == 1


def test_two_trainings_with_stochastic_depth_have_equal_rows(run, tmp_path, own_registry):
    write = "state + nn.functional.dropout1d(v, 0.3, self.training)"
    files(tmp_path, mine=routing("from torch import nn", write=write))
    rows = []
    for _ in range(2):
        short = ["training.steps=4", "model.depth=2", "evaluation.sampler_steps=1"]
        code, out, err = run("train", "--routing", "mine", "--load", "mine.py", "--json", *short)
        assert code == 0, out + err
        rows.append([(r["row_hash"], r["val_loss"], r["audit_draws"]) for r in json.loads(out)])
    assert rows[0] == rows[1] and all(draws for _, _, draws in rows[0])
