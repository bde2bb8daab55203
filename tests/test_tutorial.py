"""docs/first_routing.md, done as it says; trainings are cut short."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TUTORIAL = (Path(__file__).parents[1] / "docs" / "first_routing.md").read_text()
SHORT = [
    "training.steps=3",
    "training.checkpoints=[0.5,1.0]",
    "seeds=[0]",
    "model.depth=2",
    "evaluation.sampler=euler",
    "evaluation.sampler_steps=1",
]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tutorial")


def run(folder, command, *more):
    words = shlex.split(command)
    assert words[0] == "darbench"
    return subprocess.run(
        [sys.executable, "-m", "darbench", *words[1:], *more],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )


def failed_checks(folder):
    done = run(folder, blocks("sh")[1].strip(), "--json")
    return {r["name"] for r in json.loads(done.stdout) if not r["passed"]}, done.returncode


def test_the_way_from_an_empty_file_to_the_board(folder):
    new, check, train, sweep, own_space = (block.strip() for block in blocks("sh"))
    assert run(folder, new).returncode == 0
    assert failed_checks(folder) == (set(), 0)  # the file to start from is right

    idea, mended, neighbours = blocks("python")
    (folder / "forgetful.py").write_text(idea)
    assert failed_checks(folder) == ({"declared_conditions", "flops_formula"}, 1)

    wrong = idea[idea.index("    def elementwise_flops") :]
    (folder / "forgetful.py").write_text(idea.replace(wrong, mended))
    assert check == "darbench check forgetful.py"
    assert failed_checks(folder) == (set(), 0)

    one = [word for word in SHORT if not word.startswith("seeds")]
    trained = run(folder, train, *one)
    assert trained.returncode == 0 and "val_loss" in trained.stdout

    (folder / "forgetful.yaml").write_text(blocks("yaml")[0])
    planned = json.loads(run(folder, own_space, "--dry-run", "--json").stdout)
    assert planned["total"] == 5 * (1 + 3)
    assert "forgetful" in run(folder, sweep, "--dry-run").stdout

    (folder / "my_ops.py").write_text("def mix(s, v):\n    return s + v\n")
    np.save(folder / "table.npy", np.ones(3))
    (folder / "forgetful.py").write_text(f"{neighbours}\n{idea.replace(wrong, mended)}")
    assert failed_checks(folder) == (set(), 0)


@pytest.mark.slow
def test_the_sweep_puts_it_on_the_board(folder):
    idea, mended, _ = blocks("python")
    wrong = idea[idea.index("    def elementwise_flops") :]
    (folder / "forgetful.py").write_text(idea.replace(wrong, mended))
    swept = run(folder, blocks("sh")[3].strip(), *SHORT, "variants=[{routing: add}]")
    assert swept.returncode == 0, swept.stderr
    page = (folder / "leaderboards" / "dar_variants" / "index.html").read_text()
    assert "forgetful" in page
