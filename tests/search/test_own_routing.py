"""A user's routing reaches the workers: from a file, and from a script that registers it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench.commands.new import TEMPLATE
from tests.make.pages import opened
from tests.make.spaces import TINY, write

MINE = TEMPLATE.format(name="mine", cls="Mine", file="mine.py", title="Mine")
# What no pickle takes, and a module beside it that decides a number.
WITH_NEIGHBOUR = "import threading\nimport beside\nLOCK = threading.Lock()\n" + MINE.replace(
    "torch.ones(sites)", "torch.ones(beside.N * sites)"
).replace("return state +", "return LOCK and state +")
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


def test_loaded_files_reach_the_workers_and_are_known_by_their_code(run, own_registry, tmp_path):
    """A routing that is trained there, and an encoder that it is aligned to."""
    space = write(tmp_path, ADD)
    (tmp_path / "mine.py").write_text(WITH_NEIGHBOUR)
    (tmp_path / "beside.py").write_text("N = 2\n")
    (tmp_path / "encoder.py").write_text(ENCODER)
    aligned = ["training.objective=repa", "training.repa.layer=1", "training.repa.encoder=halves"]
    sweep = ["sweep", "--space", space, "--json", *aligned]
    sweep += ["--load", "mine.py", "--load", "encoder.py"]

    code, out, _ = run(*sweep)
    said = json.loads(out)
    assert (code, said["total"], said["done"], said["failed"]) == (0, 2, 2, 0)
    rows = darbench.load_results("mine", tmp_path / "leaderboards")
    assert set(rows["routing"]) == {"add", "mine"}
    assert rows.filter(rows["routing"] == "mine")["params_routing"].to_list() == [8, 8]
    page = opened(Path(said["board"]).read_text())
    assert "--load mine.py --load encoder.py --routing mine --task digits-nano" in page

    def finished() -> int:
        return json.loads(run(*sweep, "--dry-run")[1])["finished"]

    assert finished() == 2
    (tmp_path / "beside.py").write_text("N = 3\n")
    assert finished() == 1
    (tmp_path / "beside.py").write_text("N = 2\n")
    assert finished() == 2
    (tmp_path / "mine.py").write_text(WITH_NEIGHBOUR + "\nANOTHER = 1\n")
    assert finished() == 1
    (tmp_path / "encoder.py").write_text(ENCODER + "ANOTHER = 1\n")
    assert finished() == 0


@pytest.mark.slow
def test_a_script_registers_and_sweeps(tmp_path):
    space = write(tmp_path, ADD)
    script = tmp_path / "script.py"
    text = SCRIPT.replace("{space!r}", repr(space)).replace("{out!r}", repr(str(tmp_path)))
    script.write_text(text)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    rows = darbench.load_results("mine", tmp_path)
    assert set(rows["routing"]) == {"add", "scripted"}
