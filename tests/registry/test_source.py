"""A source hash covers the routing's file and what that uses, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.registry import ROUTINGS, source
from darbench.registry.files import load_file
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
        names = ("cpu.py", "gpu.py", "kernels.py", "connection.py", "backends.py")
        if kernel.name in names or "Deferred" in kernel.read_text():
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
    beside = {m for m in used(name) if m.startswith("ops.") and not m.endswith(".definition")}
    assert beside <= {"ops.depth_attention.source", "ops.norm"}


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


@pytest.fixture
def written(tmp_path, own_registry):
    """Write my_dar.py and load it, or a file of another name beside it."""

    def write(text: str, name: str = "my_dar.py") -> str:
        (tmp_path / name).write_text(text)
        if name == "my_dar.py":
            load_file(tmp_path / name)
        return text

    return write


@pytest.mark.parametrize(
    ("imported", "parent"),
    [
        ("import darbench.routing as r", "r.dar.Dar"),
        ("import darbench.routing", "darbench.routing.dar.Dar"),
        ("from darbench.registry import ROUTINGS", 'ROUTINGS.get("dar")'),
        ("from darbench.routing.dar import Dar", "Dar"),
    ],
)
def test_a_parent_counts_however_the_file_names_it(written, imported, parent):
    mine = '{}\nimport darbench\n@darbench.register("my_dar")\nclass My({}):\n    paper = ""\n'
    text = written(mine.format(imported, parent))
    assert ROUTINGS.source_hash("my_dar") == text_hash(text, [BASE, "darbench.routing.dar"])


NEAR = "class Near:\n    factor = 2\n    def pick(self, k): return k\n"
NEXT_TO_IT = """
import darbench, near_base
from darbench.routing.add import Add
@darbench.register("my_dar")
class My(near_base.Near, Add):
    settings = ({},)
"""


def test_a_parent_in_another_file_counts(written):
    written(NEAR, "near_base.py")
    text = written(NEXT_TO_IT)
    before = ROUTINGS.source_hash("my_dar")
    assert before == text_hash(text, [BASE, "darbench.routing.add"], [NEAR])
    written(NEAR + "# a comment", "near_base.py")
    written(NEXT_TO_IT)
    assert ROUTINGS.source_hash("my_dar") == before
    written(NEAR.replace("2", "3.0"), "near_base.py")
    written(NEXT_TO_IT)
    assert ROUTINGS.source_hash("my_dar") != before


def test_a_fact_that_a_parent_in_another_file_reads_is_code(written):
    written(NEAR.replace("return k", "return self.settings[k]"), "near_base.py")
    written(NEXT_TO_IT)
    before = ROUTINGS.source_hash("my_dar")
    written(NEXT_TO_IT.replace("({},)", "({}, {})"))
    assert ROUTINGS.source_hash("my_dar") != before


def test_a_fact_of_a_parent_that_the_file_reads_is_code(written):
    mine = 'import darbench\nfrom darbench.routing.dar import Dar\n@darbench.register("my_dar")\n'
    text = written(mine + "class My(Dar):\n    def f(self): return self.settings\n")
    dar = text_of("dar")
    assert source.code_of(dar, {"settings"}) != source.code_of(dar)
    modules = [
        Path(darbench.__file__).parents[1] / m.replace(".", "/") for m in used_modules(text)
    ]
    texts = [text, *(m.with_suffix(".py").read_text() for m in modules)]
    whole = content_hash([source.code_of(t, {"settings"}) for t in texts])
    assert ROUTINGS.source_hash("my_dar") == whole


def test_a_parent_in_the_same_file_or_in_torch_is_no_file_beside_it(written):
    parent = "from darbench.routing.add import Add\nclass Parent(Add): pass\n"
    mine = '@darbench.register("my_dar")\nclass My(Parent): pass\n'
    text = written(f"import darbench\n{parent}{mine}")
    assert ROUTINGS.source_hash("my_dar") == text_hash(text, [BASE])


def test_a_source_that_is_nowhere_is_refused():
    scope = {"__name__": "nowhere"}
    exec("class Mine:\n    def begin(self): ...", scope)
    with pytest.raises(BadInput, match=r"the source of Mine cannot be found \(<string>\)"):
        source.source_hash(scope["Mine"])


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import darbench
import other
from darbench.routing.add import Add
from darbench.registry import ROUTINGS

@darbench.register("scripted")
class Scripted(Add):
    def write(self, state, site, v):
        return other.mix(state, v)

if __name__ == "__main__":
    print(ROUTINGS.source_hash("scripted"))
"""


def test_the_modules_that_a_script_imports_count(tmp_path):
    """Also those that these import, and nothing else that lies there."""
    (tmp_path / "script.py").write_text(SCRIPT.format(folder=str(tmp_path)))
    (tmp_path / "other.py").write_text("from my_ops import mix\n")

    def found(term: str) -> str:
        (tmp_path / "my_ops.py").write_text(f"def mix(s, v): return s + {term}\n")
        command = [sys.executable, "-B", str(tmp_path / "script.py")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before = found("v")
    assert found("v  # the same") == before != found("2 * v")


PACKAGED = """
import darbench
from .ops import mix
from . import more
from ..base import Base

@darbench.register("mine")
class Mine(Base):
    def write(self, state, site, v):
        return more.mix(mix(state, v), 0)
"""
PARENT = """
import darbench
class Base(darbench.Routing):
    def begin(self, x, cond):
        return x
    def read(self, state, site):
        return state
"""


@pytest.mark.parametrize("edited", ["pkg/own/ops.py", "pkg/own/more.py", "pkg/deep.py"])
def test_what_a_package_of_a_script_imports_by_dots_counts(tmp_path, edited):
    mix = "def mix(s, v): return s + v\n"
    for name, text in {
        "pkg/__init__.py": "",
        "pkg/base.py": PARENT,
        "pkg/deep.py": f"{mix}DEEP = 1\n",
        "pkg/own/__init__.py": "",
        "pkg/own/routing.py": PACKAGED,
        "pkg/own/ops.py": "from ..deep import mix\n",
        "pkg/own/more.py": mix,
        "run.py": "import pkg.own.routing\nfrom darbench.registry import ROUTINGS\n"
        "print(ROUTINGS.source_hash('mine'))",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def found(more: str) -> str:
        (tmp_path / edited).write_text((tmp_path / edited).read_text() + more)
        command = [sys.executable, "-B", str(tmp_path / "run.py")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before = found("")
    assert found("# a comment\n") == before != found("OTHER = 1\n")


READING = """
import sys
import numpy as np
import darbench
from darbench.registry import ROUTINGS
SCALE, UNUSED = {read}, 1

@darbench.register("mine")
class Mine(darbench.Routing):
    def begin(self, x, cond):
        return x
    def read(self, state, site):
        return state
    def write(self, state, site, v):
        return state + SCALE * v
print(ROUTINGS.source_hash("mine"))
"""


@pytest.mark.parametrize("read", ["np.loadtxt(sys.argv[1])", "float(open(sys.argv[1]).read())"])
def test_a_number_that_a_script_reads_counts(tmp_path, read):
    (tmp_path / "script.py").write_text(READING.format(read=read))

    def found(number: str) -> str:
        (tmp_path / "number.txt").write_text(number)
        command = [sys.executable, "-B", tmp_path / "script.py", tmp_path / "number.txt"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    before = found("1.5")
    assert found("1.50") == before != found("2.5")


CELLS = """
import linecache, sys
import darbench
from darbench.registry import ROUTINGS

def cell(text):
    name = f"<cell {text[:40]}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), globals())

sys.path.insert(0, sys.argv[1])
for text in sys.argv[2:]:
    cell(text)
cell('''
OWN = 3
@darbench.register("mine")
class Mine(darbench.Routing):
    def begin(self, x, cond):
        return x
    def read(self, state, site):
        return state
    def write(self, state, site, v):
        return OWN * o.mix(state, scaled(v))
''')
print(ROUTINGS.source_hash("mine"))
"""
OTHER_CELLS = {
    "module": "import other as o",
    "values": "import torch, numpy as np\nTABLE, ROW, SCALE = np.ones(3), (torch.ones(2), 1), 2.0",
    "function": "def scaled(v): return SCALE * TABLE[0] * ROW[0] * v",
}


def test_what_the_class_uses_of_other_cells_of_a_notebook_counts(tmp_path):
    def found(ops: str = "s + v", **cells: str) -> str:
        (tmp_path / "other.py").write_text(f"def mix(s, v): return {ops}\n")
        command = [sys.executable, "-B", "-c", CELLS, str(tmp_path)]
        command += [*(OTHER_CELLS | cells).values(), "UNUSED = 1"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    same = found("s + v  # the same", function=OTHER_CELLS["function"] + "  # the same")
    moved = [
        found("s - v"),
        found(function="def scaled(v): return SCALE + TABLE[0] * ROW[0] * v"),
        found(values=OTHER_CELLS["values"].replace("2.0", "3.0")),
        found(values=OTHER_CELLS["values"].replace("np.ones", "np.zeros")),
        found(values=OTHER_CELLS["values"].replace("torch.ones", "torch.zeros")),
    ]
    assert found() == same and same not in moved and len({*moved}) == len(moved)


def test_a_cell_alone_keeps_the_hash_of_its_text(own_registry):
    cell = "SCALE = 2\nclass Mine:\n    def begin(self, x): return SCALE * x"
    scope = {"__name__": "nowhere", "__file__": ""}
    source.linecache.cache["<cell>"] = (len(cell), None, cell.splitlines(True), "<cell>")
    exec(compile(cell, "<cell>", "exec"), scope)
    assert source.source_hash(scope["Mine"]) == text_hash(cell)
