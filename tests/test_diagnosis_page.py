"""docs/diagnosis.md, done as it says; trainings are cut short."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl

from darbench.records.schema import COLUMNS

PAGE = (Path(__file__).parents[1] / "docs" / "diagnosis.md").read_text()
SWEEP, DIAGNOSE = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)[1].strip().splitlines()
SHORT = ["training.steps=3", "training.checkpoints=[0.5,1.0]", "evaluation.sampler=euler"]
SHORT += ["evaluation.sampler_steps=1", "model.depth=2", "seeds=[0]", "--workers", "1"]
SHORT += ["variants=[{routing: add},{routing: attnres}]"]


def run(folder, command, *more):
    words = [sys.executable, "-m", "darbench", *shlex.split(command)[1:], *more]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_trainings_are_swept_and_looked_into(tmp_path):
    run(tmp_path, SWEEP, *SHORT)
    said = run(tmp_path, DIAGNOSE)
    table = pl.read_parquet(tmp_path / "leaderboards" / "symptoms" / "diagnostics.parquet")
    assert table["trial"].n_unique() == 2
    assert {"rms_z", "rms_grad_v", "block_cosine", "softmax_weights"} <= {*table["analysis"]}
    assert "fwd_rms_ratio" in said and "attnres" in said


def test_its_columns_are_those_of_the_rows():
    named = re.findall(r"^\| `(\w+_\w+)` \|(?:[^|]*\|){2}$", PAGE, re.MULTILINE)
    early = [name for name in COLUMNS if f"{name}_early" in COLUMNS]
    assert named == early
