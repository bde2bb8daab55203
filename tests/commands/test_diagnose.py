"""darbench diagnose: of a trial that kept its weights, and of a file."""

import json
import shlex

import pytest

from darbench.commands.diagnose import (
    diagnose,
    weights_of_file,
    weights_of_space,
    weights_of_trial,
)
from darbench.commands.train import train_one
from darbench.errors import BadInput
from darbench.store import ledger
from darbench.store.diagnostics import read_diagnostics
from tests.make.pages import inert
from tests.make.spaces import OVERRIDES

KEEP = "training.keep_weights"


def trained(out, *more, routing="dar"):
    rows = train_one(routing, "digits-nano", [*OVERRIDES, *more], out=out)
    return rows[-1]


def test_a_trial_that_kept_its_weights_is_diagnosed_beside_its_ledger(tmp_path):
    row = trained(tmp_path, f"{KEEP}=last", "params.span=2")
    weights = weights_of_trial(row["trial_id"][:6], [], tmp_path)
    assert weights.trial.variant.params["span"] == 2 and weights.trial.id == row["trial_id"]
    made = diagnose(weights, "cpu")
    assert made.table.parent == tmp_path / "train" and made.notes == []
    table = read_diagnostics(tmp_path / "train")
    assert {*table["trial"]} == {row["trial_id"]}
    assert {"rms_z", "routing_matrix", "softmax_weights", "probe_r2"} <= {*table["analysis"]}
    assert made.summary()["probe_r2"] == made.columns["probe_r2"]
    assert made.report == tmp_path / "train" / "diagnosis.html"
    assert "dar" in made.report.read_text() and str(tmp_path) not in made.report.read_text()


def test_keeping_weights_moves_nothing_and_none_are_kept_unless_asked_for(tmp_path):
    hashes = {}
    for keep in ("none", "last", "all"):
        row = trained(tmp_path / keep, f"{KEEP}={keep}", routing="add")
        kept = sorted(file.stem for file in (tmp_path / keep / "train" / "weights").glob("*"))
        hashes[keep] = (row["trial_id"], row["config_hash"], row["protocol_hash"], row["row_hash"])
        steps = {"none": [], "last": [3], "all": [2, 3]}[keep]
        assert kept == [f"{row['trial_id']}-{step}" for step in steps]
    assert len({*hashes.values()}) == 1


def test_without_weights_it_names_the_command_that_makes_them(tmp_path, run):
    row = trained(tmp_path)
    with pytest.raises(
        BadInput, match="kept no weights; this makes them: darbench train"
    ) as error:
        weights_of_trial(row["trial_id"], [], tmp_path)
    words = shlex.split(str(error.value).partition("this makes them: darbench ")[2])
    run(*words)
    assert weights_of_trial(row["trial_id"], [], tmp_path).trial.id == row["trial_id"]


def test_all_that_a_sweep_kept_is_diagnosed(tmp_path, run):
    for seed in (0, 1):
        train_one("dar", "digits-nano", [*OVERRIDES, f"{KEEP}=last"], seed=seed, out=tmp_path)
    ids = [row["trial_id"] for row in ledger.read_ledger(tmp_path / "train" / "ledger")]
    code, out, _ = run("diagnose", "--space", "train", "--out", str(tmp_path), "--json")
    assert code == 0
    assert [each["trial"] for each in json.loads(out)] == [*dict.fromkeys(ids)]
    assert {*read_diagnostics(tmp_path / "train")["trial"]} == {*ids}
    held = json.loads(inert((tmp_path / "train" / "diagnosis.html").read_text())["d1-data"])
    assert [(e["title"], e["seeds"], e["baseline"]) for e in held["entries"]] == [
        ("dar", 2, False)
    ]
    code, out, _ = run("diagnose", "--space", "train", "--out", str(tmp_path))
    assert code == 0 and "[2/2] dar" in out and "probe_r2" in out
    assert run("diagnose", "--space", "trains", "--out", str(tmp_path))[0] == 2


def test_a_sweep_that_kept_none_says_how_to_have_some(tmp_path):
    trained(tmp_path, routing="add")
    with pytest.raises(BadInput, match="train: no trial kept its weights; sweep with training"):
        weights_of_space("train", [], tmp_path)


def test_a_file_of_weights_is_diagnosed_as_the_model_that_is_named(tmp_path, run):
    row = trained(tmp_path, f"{KEEP}=last", routing="add")
    file = tmp_path / "train" / "weights" / f"{row['trial_id']}-3.safetensors"
    size = [word for word in OVERRIDES if word.startswith("model.")]
    options = ["--checkpoint", str(file), "--routing", "hyper", "--out", str(tmp_path), "--json"]
    code, out, _ = run("diagnose", *size, *options)
    found = json.loads(out)
    assert code == 0
    assert "tensors of the routing, which are initial" in found["notes"][0]
    assert found["routing"] == "hyper"
    assert {*read_diagnostics(tmp_path / "diagnose")["trial"]} == {file.stem}


def test_a_trial_that_nobody_knows_and_weights_of_another_model_are_refused(tmp_path):
    row = trained(tmp_path, f"{KEEP}=last", routing="add")
    for name in ("0123456789abcdef", "../up", ""):
        with pytest.raises(BadInput, match=f"unknown trial.*known: {row['trial_id']}"):
            weights_of_trial(name, [], tmp_path)
    file = tmp_path / "train" / "weights" / f"{row['trial_id']}-3.safetensors"
    with pytest.raises(BadInput, match="not this model's SiT state dict"):
        diagnose(weights_of_file(file, "add", "digits-nano", ["model.depth=3"], tmp_path), "cpu")
