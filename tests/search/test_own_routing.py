"""A user's routing reaches the workers: from a file, and from a script that registers it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench.commands.new import TEMPLATE
from tests.make.spaces import TINY, write

MINE = TEMPLATE.format(name="mine", cls="Mine", file="mine.py", title="Mine")
ADD = "seeds: [0]\nvariants: [{routing: add}]\n" + TINY

ENCODER = """
import darbench
from torch import nn

@darbench.register_encoder("halves")
def halves(x):
    return nn.functional.avg_pool2d(x, 2)
"""

SCRIPT = '''
import darbench

SCALE = 0.5  # a global of the script that the class needs


def scaled(v):
    return SCALE * v


@darbench.register("scripted")
class Scripted(darbench.Routing):
    """s + v / 2"""

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + scaled(v)

    def elementwise_flops(self, tokens):
        return 2 * self.sites * tokens * self.width


if __name__ == "__main__":
    outcome = darbench.sweep({space!r}, own=["scripted"], out={out!r})
    assert (outcome.done, outcome.failed) == (2, 0), outcome
'''


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_a_loaded_file_joins_the_space_and_runs_in_the_workers(tmp_path):
    space = write(tmp_path, ADD)
    (tmp_path / "mine.py").write_text(MINE)
    sweep = [sys.executable, "-m", "darbench", "sweep", "--space", space, "--json"]
    said = json.loads(run(*sweep, "--load", "mine.py", cwd=tmp_path))
    assert (said["total"], said["done"], said["failed"]) == (2, 2, 0)
    rows = darbench.load_results("mine", tmp_path / "leaderboards")
    assert set(rows["routing"]) == {"add", "mine"}
    assert rows.filter(rows["routing"] == "mine")["params_routing"].to_list() == [4, 4]

    again = json.loads(run(*sweep, "--load", "mine.py", cwd=tmp_path))
    assert (again["skipped"], again["done"]) == (2, 0)
    (tmp_path / "mine.py").write_text(MINE + "\nANOTHER = 1\n")
    changed = json.loads(run(*sweep, "--load", "mine.py", cwd=tmp_path))
    assert (changed["skipped"], changed["done"]) == (1, 1)


def test_an_encoder_of_a_loaded_file_is_aligned_to_in_the_workers(tmp_path):
    space = write(tmp_path, ADD)
    (tmp_path / "encoder.py").write_text(ENCODER)
    aligned = ["training.objective=repa", "training.repa.layer=1", "training.repa.encoder=halves"]
    sweep = [sys.executable, "-m", "darbench", "sweep", "--space", space, "--json", *aligned]
    said = json.loads(run(*sweep, "--load", "encoder.py", cwd=tmp_path))
    assert (said["total"], said["done"], said["failed"]) == (1, 1, 0)
    page = Path(said["board"]).read_text()
    assert f"darbench train --load {tmp_path}/encoder.py --task digits-nano" in page
    for text, finished in ((ENCODER, 1), (ENCODER + "ANOTHER = 1\n", 0)):
        (tmp_path / "encoder.py").write_text(text)
        planned = json.loads(run(*sweep, "--load", "encoder.py", "--dry-run", cwd=tmp_path))
        assert planned["finished"] == finished


@pytest.mark.slow
def test_a_script_registers_and_sweeps(tmp_path):
    space = write(tmp_path, ADD)
    script = tmp_path / "script.py"
    text = SCRIPT.replace("{space!r}", repr(space)).replace("{out!r}", repr(str(tmp_path)))
    script.write_text(text)
    run(sys.executable, str(script), cwd=tmp_path)
    rows = darbench.load_results("mine", tmp_path)
    assert set(rows["routing"]) == {"add", "scripted"}
