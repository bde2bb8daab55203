"""Commands that only tell load no more than they need."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "ray", "polars", "plotly", "sklearn", "torchvision", "diffusers", "optuna"}
ALWAYS_LIGHT = ["--help", "list tasks", "list spaces", "describe dar_variants"]
KEPT = [
    "list routings --json",
    "describe dar",
    "describe digits-nano",
    "plan --task digits-nano --effect 2%",
    "sweep --space dar_variants --dry-run",
    "sweep --space repa --quick --dry-run",
    "noise-floor --task digits-nano --dry-run",
]
CODE = """
import io, json, sys
from contextlib import redirect_stdout
from darbench import cli
told = {}
for line in sys.argv[1:]:
    sys.argv = ["darbench", *line.split()]
    with redirect_stdout(io.StringIO()) as out:
        try:
            cli.main()
        except SystemExit as left:
            assert not left.code, line
    told[line] = out.getvalue(), sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps(told))
"""


def tell(lines: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Return the output of one process for each command line, and the packages it has loaded."""
    command = [sys.executable, "-c", CODE, *lines]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The outputs of each command line with an empty cache, and of all of them after that."""
    folder = tmp_path_factory.mktemp("light")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARBENCH_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        light = tell(ALWAYS_LIGHT)
        return light, tell(KEPT), tell(KEPT)


def test_help_tasks_and_spaces_never_load_anything_heavy(told):
    light, _, _ = told
    for line, (_, loaded) in light.items():
        assert not HEAVY & {*loaded}, line
        assert "hydra" not in loaded and "scipy" not in loaded, line


def test_what_was_told_once_is_told_again_without_torch(told):
    _, first, again = told
    for line in KEPT:
        assert again[line][0] == first[line][0] != "", line
        assert not HEAVY & {*again[line][1]}, line


def test_routings_are_listed_without_what_their_cost_does_not_need(told):
    _, first, _ = told
    loaded = {*first["list routings --json"][1]}
    assert "torch" in loaded and not {"ray", "polars", "torch_fidelity", "scipy"} & loaded
