"""A source hash covers the routing's file and what that uses, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench.errors import BadInput
from darbench.registry import ROUTINGS, source
from darbench.registry.source import text_hash, used_modules

BASE = "darbench.routing.base"
BUILT_IN = [n for n, cls in ROUTINGS.items() if cls.__module__.startswith("darbench.")]
# Run within a copy of the package: the hash of every file of routing/.
HASHES = """
import json, sys
from pathlib import Path
import darbench
from darbench.registry.source import text_hash
files = sorted((Path(darbench.__file__).parent / "routing").glob("[a-z]*.py"))
print(json.dumps({f.stem: text_hash(f.read_text(), [sys.argv[1]]) for f in files}))
"""


def text_of(name: str) -> str:
    return Path(ROUTINGS.file_of(name)).read_text()


def used(name: str) -> set[str]:
    """The modules that a built-in routing's hash covers besides its own, without `darbench.`."""
    return {m.removeprefix("darbench.") for m in used_modules(text_of(name), [BASE])}


@pytest.fixture
def copy(tmp_path):
    """A copy of the package: its folder, and a function that hashes its routings."""
    package = Path(shutil.copytree(Path(darbench.__file__).parent, tmp_path / "darbench"))

    def hashes() -> dict[str, str]:
        found = subprocess.run(
            [sys.executable, "-c", HASHES, BASE],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(tmp_path)},
            check=True,
        )
        return json.loads(found.stdout)

    return package, hashes


def moved(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_a_new_routing_and_an_edited_neighbour_move_no_other_hash(copy):
    package, hashes = copy
    before = hashes()
    assert before.keys() >= set(BUILT_IN)
    shutil.copy(package / "routing" / "add.py", package / "routing" / "ancre.py")
    append(package / "routing" / "hyper.py", "\nEXTRA = 1\n")
    after = hashes()
    assert "ancre" in after and moved(before, after) == {"hyper"}


def test_what_is_shared_moves_those_that_use_it_and_a_kernel_moves_none(copy):
    package, hashes = copy
    before = hashes()
    for kernel in (package / "ops").rglob("*.py"):
        if kernel.name in ("cpu.py", "gpu.py", "kernels.py", "connection.py"):
            append(kernel, "\nEXTRA = 1\n")
    append(package / "routing" / "history.py", "\n# reworded\n")
    assert moved(before, hashes()) == set()
    append(package / "routing" / "history.py", "\nEXTRA = 1\n")
    users = {"readers", "attnres", "dar", "delta_attnres"}
    assert moved(before, hashes()) - {"history"} == users
    append(package / "routing" / "base.py", "\nEXTRA = 1\n")
    assert moved(before, hashes()) >= set(BUILT_IN)


def test_the_hash_of_a_routing_is_that_of_its_file_and_of_the_interface():
    for name in BUILT_IN:
        assert ROUTINGS.source_hash(name) == text_hash(text_of(name), [BASE])
    assert text_hash("x = 1", [BASE]) != text_hash("x = 1")


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_other_paper_and_no_kernel_is_part_of_a_hash(name):
    others = {f"routing.{other}" for other in BUILT_IN} | {"routing"}
    assert not used(name) & others
    kernels = {m for m in used(name) if m.startswith("ops.") and "definition" not in m}
    assert kernels <= {"ops.depth_attention.backends", "ops.depth_attention.source", "ops.norm"}


def test_a_users_file_is_followed_into_what_it_imports():
    assert used_modules("import torch\nimport darbench.search\nfrom darbench import ops") == []
    mine = "import darbench.routing.history\nfrom darbench.routing.add import Add\nx = Add"
    assert used_modules(mine) == [
        "darbench.routing.add",
        "darbench.routing.base",
        "darbench.routing.history",
    ]
    assert used_modules("from darbench.routing import history, base") == [
        "darbench.routing.base",
        "darbench.routing.history",
    ]
    cell = "from darbench.ops.sinkhorn import sinkhorn"
    assert used_modules(cell) == ["darbench.ops.sinkhorn.definition"]
    assert used_modules(f"%time\n{cell}", [BASE]) == [BASE]


def test_a_source_that_is_nowhere_is_refused():
    scope = {"__name__": "nowhere"}
    exec("class Mine:\n    def begin(self): ...", scope)
    with pytest.raises(BadInput, match=r"the source of Mine cannot be found \(<string>\)"):
        source.source_hash(scope["Mine"])
