"""docs/fine_tuning.md, done as it says; trainings are cut short."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darbench

PAGE = (Path(__file__).parents[1] / "docs" / "fine_tuning.md").read_text()
SHORT = ["training.steps=3", "training.checkpoints=[0.5,1.0]", "evaluation.sampler=euler"]
SHORT += ["evaluation.sampler_steps=1", "evaluation.diagnose=false", "model.depth=2"]


def block(language, at=0):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[at].strip()


def run(folder, command, *more):
    words = [sys.executable, "-m", "darbench", *shlex.split(command)[1:], *more]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a trunk was trained, and its weights and the space lie."""
    folder = tmp_path_factory.mktemp("fine")
    trained = run(folder, block("sh"), *SHORT)
    assert trained.returncode == 0, trained.stderr
    (weights,) = (folder / "trunk" / "train" / "weights").iterdir()
    shutil.copy(weights, folder / "add.safetensors")
    (folder / "fine.yaml").write_text(block("yaml"))
    return folder


def test_a_trained_trunk_is_what_a_space_starts_with(folder):
    refused = run(folder, block("sh", 1), "--dry-run")
    assert refused.returncode == 2 and "add.safetensors: not this model's" in refused.stderr
    planned = run(folder, block("sh", 1), "--dry-run", "--json", "model.depth=2")
    assert json.loads(planned.stdout)["total"] == 15


@pytest.mark.slow
def test_every_variant_starts_with_the_same_trunk(folder):
    done = run(folder, block("sh", 1), *SHORT, "seeds=[0]", "--workers", "1")
    assert done.returncode == 0, done.stderr
    rows = darbench.load_results("fine", out=folder / "trunk")
    hashes = {json.loads(text)["training"]["init_hash"] for text in rows["config_json"]}
    assert len(hashes) == 1 and len(hashes.pop()) == 16
    assert rows["audit_init"].n_unique() == 1 and rows["label"].n_unique() == 3
