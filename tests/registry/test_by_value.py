"""What a script or notebook registers is sent by value, with the user's modules that it uses."""

import os
import pickle
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import threading
import torch
import darbench
from darbench.errors import BadInput
from darbench.registry import ROUTINGS
from darbench.registry.by_value import by_value
from my_ops import mix
{top}

@darbench.register("mine")
class Mine(darbench.Routing):
    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return {write}

if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(by_value({{"mine": ROUTINGS.get("mine")}})["mine"])
    except BadInput as error:
        sys.exit(str(error))
"""
FAR = """
import pickle, sys, torch
cls = pickle.loads(sys.stdin.buffer.read())
print(cls(4, 8).write(torch.ones(1), 0, torch.ones(1)).item())
"""
OPS = "SCALE = 2.0\n{}\ndef mix(s, v):\n    {}\n    return s + SCALE * v\n"


@pytest.fixture
def sent(tmp_path):
    """What a script with such a class and such a module beside it sends, or says instead."""

    def send(write="mix(state, v)", top="", ops=("", "pass")):
        (tmp_path / "my_ops.py").write_text(OPS.format(*ops))
        (tmp_path / "script.py").write_text(SCRIPT.format(write=write, top=top))
        command = [sys.executable, str(tmp_path / "script.py")]
        done = subprocess.run(command, capture_output=True, check=False)
        return done.stdout or done.stderr.decode()

    return send


def test_it_works_where_none_of_its_modules_can_be_found(sent, tmp_path):
    pickled = sent()
    (tmp_path / "my_ops.py").unlink()
    env = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    far = subprocess.run(
        [sys.executable, "-c", FAR], input=pickled, capture_output=True, cwd="/", env=env
    )
    assert far.stdout == b"3.0\n", far.stderr.decode()


@pytest.mark.parametrize(
    "given",
    [
        {"top": "LOCK = threading.Lock()", "write": "LOCK and state + v"},
        {"top": "LOCK = threading.Lock()\ndef f(s): return LOCK and s", "write": "f(state) + v"},
        {"ops": ("import threading; LOCK = threading.Lock()", "LOCK.locked()")},
        {"top": "@torch.compile\ndef LOCK(a, b):\n    return a + b", "write": "LOCK(state, v)"},
    ],
)
def test_a_global_that_cannot_travel_is_named_in_one_line(sent, given):
    said = sent(**given)
    assert isinstance(said, str), pickle.loads(said)
    assert said.startswith("mine: its global LOCK cannot be sent to a worker process (")
    assert said.count("\n") == 1
