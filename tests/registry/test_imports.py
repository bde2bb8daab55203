"""Two files never see each other's neighbours, and nobody else sees them at all."""

import math
import subprocess
import sys
from importlib.util import spec_from_file_location
from textwrap import dedent
from types import ModuleType

import pytest
import torch

from darbench.errors import BadInput
from darbench.registry import ROUTINGS
from darbench.registry.files import load_file
from darbench.state.generators import foreign_positions, positions
from darbench.testing.rehearsal import load_rehearsed
from tests.make.users import files, routing

OPS = "SCALE = {}\ndef mix(s, v):\n    return s + SCALE * v\n"

pytestmark = pytest.mark.usefixtures("own_registry")


def written(name: str) -> float:
    return ROUTINGS.get(name)(4, 8).write(torch.ones(1), 0, torch.ones(1)).item()


@pytest.mark.parametrize("late", [True, False])
def test_each_file_has_its_own_neighbour_of_one_name(tmp_path, late):
    imports = "from my_ops import mix"
    for scale, name in ((2.0, "two"), (3.0, "three")):
        text = routing(
            "" if late else imports,
            init=f"{imports}; self.mix = mix" if late else "self.mix = mix",
            write="self.mix(state, v)",
            name=name,
        )
        load_file(files(tmp_path / name, mine=text, my_ops=OPS.format(scale)))
    assert (written("two"), written("three")) == (3.0, 4.0)


def test_modules_and_path_are_left_as_they_were(tmp_path, monkeypatch):
    there = ModuleType("my_ops")  # a script's own
    there.__file__ = str(tmp_path / "script" / "my_ops.py")
    monkeypatch.setitem(sys.modules, "my_ops", there)
    top = "import sys, importlib; sys.path.insert(0, 'lib')\nfrom my_ops import mix\n"
    top += "importlib.import_module('other')\ndel sys.modules['my_ops']\n"
    text = routing(top + "importlib.import_module('my_ops')", write="mix(state, v)")
    path, modules = [*sys.path], {*sys.modules}
    load_file(files(tmp_path, mine=text, my_ops=OPS.format(2.0), other="x = 1"))
    assert written("mine") == 3.0
    assert sys.path == path and sys.modules["my_ops"] is there
    more = {name for name in {*sys.modules} - modules if not name.startswith("darbench_user_")}
    assert not more & {"mine", "other", "my_ops"}


def test_a_library_is_not_hidden_by_a_neighbour(tmp_path):
    neighbours = {"torch": "raise 1", "json": "raise 1", "darbench": "raise 1"}
    load_file(files(tmp_path, mine=routing("import torch, json"), **neighbours))
    assert written("mine") == 2.0


def test_a_neighbour_that_imports_the_file_gets_the_file_itself(tmp_path):
    text = "STATE = []\n" + routing("import other")
    load_file(files(tmp_path, mine=text, other="import mine\nmine.STATE.append(1)"))
    module = sys.modules[ROUTINGS.get("mine").__module__]
    assert module.STATE == [1]


def test_what_is_nowhere_is_not_found(tmp_path):
    text = routing("try:\n    import nowhere\nexcept ModuleNotFoundError as e:\n    M = str(e)")
    load_file(files(tmp_path, mine=text))
    assert sys.modules[ROUTINGS.get("mine").__module__].M == "No module named 'nowhere'"


def test_a_file_loaded_again_has_its_neighbours_anew(tmp_path):
    text = routing("from my_ops import mix", write="mix(state, v)")
    for scale in (2.0, 3.0):
        load_file(files(tmp_path, mine=text, my_ops=OPS.format(scale)))
        assert written("mine") == 1 + scale


def test_data_classes_and_annotations_of_a_neighbour_work(tmp_path):
    ops = """
    from __future__ import annotations
    from dataclasses import dataclass
    from typing import NamedTuple, get_type_hints
    class S(NamedTuple):
        x: int
    @dataclass
    class D:
        s: S
    HINTS = get_type_hints(D)
    """
    load_file(files(tmp_path, mine=routing("import my_ops\nassert my_ops.HINTS['s'] is my_ops.S"),
                    my_ops=dedent(ops)))  # fmt: skip


def test_what_a_file_draws_while_it_is_loaded_is_the_same_in_every_process(tmp_path):
    """A table drawn at import would else be another one in every worker."""
    imports = "import random, numpy, torch\nfrom table import DRAWN"
    drawn = "import random, numpy, torch\n"
    drawn += "DRAWN = [torch.rand(()).item(), numpy.random.rand(), random.random()]\n"
    file = files(tmp_path, mine=routing(imports, init="self.drawn = DRAWN"), table=drawn)
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = (positions(), foreign_positions())
        (name,) = load_file(file)
        made.append(ROUTINGS.get(name)(4, 8).drawn)
        assert (positions(), foreign_positions()) == before
    assert made[0] == made[1]


def test_files_that_are_opened_while_python_ends_are_nobodys(tmp_path):
    """As a compiler's are; by then the names of a module are gone."""
    code = (
        "from darbench.registry import opens\n"
        "class Last:\n"
        "    def __del__(self, open=open, file=__import__('os').devnull): open(file).close()\n"
        "opens.watch(); opens.last = Last(); opens.EVENTS = opens.os = None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_that_is_installed_to_be_edited_belongs_to_the_bundle(tmp_path, monkeypatch):
    """No path leads to it: a finder of its own knows where it lies, as setuptools writes one."""
    folder = tmp_path / "src" / "lib_impl"
    files(folder, __init__="from .inner import SCALE", inner="SCALE = 3")

    class Editable:
        @staticmethod
        def find_spec(name, path=None, target=None):
            file, folders = folder / "__init__.py", [str(folder)]
            found = spec_from_file_location(name, file, submodule_search_locations=folders)
            return found if name == "mylib" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable])
    text = routing("import mylib\nfrom mylib.inner import SCALE", write="mylib.SCALE * v")
    mine = files(tmp_path / "own", mine=text)

    def loaded():
        load_file(mine)
        return ROUTINGS.source_hash("mine"), ROUTINGS.get("mine")(4, 8).write(0, 0, 1.0)

    before = loaded()
    files(folder, inner="SCALE = 4")
    assert before[1] == 3 and loaded()[1] == 4 and loaded()[0] != before[0]
    assert "mylib" not in sys.modules


def test_an_import_in_a_text_that_is_run_works(tmp_path):
    """Such a text has no file and no package."""
    top = "space = {}\nexec('from math import pi\\nfrom my_ops import SCALE', space)"
    write = "space['pi'] * space['SCALE']"
    load_file(files(tmp_path, mine=routing(top, write=write), my_ops="SCALE = 2"))
    assert ROUTINGS.get("mine")(4, 8).write(0, 0, 1.0) == 2 * math.pi


def test_a_neighbour_that_importlib_seeks_too_late_is_one_line(tmp_path):
    init = "import importlib; self.ops = importlib.import_module('my_ops')"
    mine = files(tmp_path, mine=routing(init=init), my_ops="SCALE = 2")
    with pytest.raises(BadInput, match=r"mine\.py:\d+: my_ops lies beside .*`import my_ops`"):
        load_rehearsed(mine)
    load_rehearsed(files(tmp_path, mine=routing(init=init.replace("my_ops", "not_there"))))
