"""Imports point down and never form a circle, as read from the source of every module."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import darbench

PACKAGE = Path(darbench.__file__).parent
FLOORS = {
    0: (
        "errors",
        "cache",
        "files",
        "folders",
        "command_line",
        "listener",
        "randomness",
        "arithmetic",
        "records",
        "ops",
        "state",
    ),
    1: ("registry",),
    2: ("routing",),
    3: ("model", "flow", "data"),
    4: ("metrics", "diagnose"),
    5: ("trial", "analysis", "store", "testing", "pages"),
    6: ("search", "board"),
    7: ("commands",),
    8: ("cli", "__main__"),
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
MODULES = {
    ".".join(["darbench", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TORCH_FREE = (
    "darbench",
    "darbench.cli.app",
    "darbench.board.build",
    "darbench.search.space",
    "darbench.search.compose",
    "darbench.analysis.effects",
    "darbench.store.ledger",
    "darbench.store.tables",
    "darbench.store.environment",
)


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all imports, also of those within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path: Path) -> set[str]:
    """The modules of darbench that a file imports, a.b of `from a import b` where that is one."""
    found = set()
    for name in imports(path):
        if name in MODULES:
            found.add(name)
        elif name.rpartition(".")[0] in MODULES:
            found.add(name.rpartition(".")[0])
    return found


def room(module: str) -> str:
    """The room of a module, such as ops; empty for the package itself."""
    return ([*module.split("."), ""])[1]


ARROWS = {
    module: imported_modules(path) - {module, "darbench"} for module, path in MODULES.items()
}


def lies_in(name: str, *packages: str) -> bool:
    """Whether `name` is one of the packages or modules, or within it."""
    return any(name == each or name.startswith(f"{each}.") for each in packages)


def importers(library: str) -> set[str]:
    return {
        name for name, path in MODULES.items() if any(lies_in(i, library) for i in imports(path))
    }


def test_a_name_that_only_begins_like_a_package_is_not_in_it():
    assert lies_in("torch", "torch") and lies_in("torch.nn", "ray", "torch")
    assert not lies_in("torchvision.models", "torch")
    assert not lies_in("darbench.routing.base2", "darbench.routing.base")


def test_the_floors_are_those_that_the_docs_draw():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    drawn: dict[int, set[str]] = {}
    for floor, rooms in re.findall(r"^\| (\d) \| (.*?) \|", text, re.M):
        drawn.setdefault(int(floor), set()).update(re.findall(r"`(\w+)/?`", rooms))
    assert drawn == {floor: {*rooms} - {"__main__"} for floor, rooms in FLOORS.items()}


def test_every_room_has_a_floor_and_every_floor_a_room():
    assert {room(m) for m in MODULES} - {"", "conf"} == FLOOR.keys()


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in FLOOR])
def test_imports_point_down_or_stay_in_the_room(module):
    own = room(module)
    up = {m for m in ARROWS[module] if room(m) != own and FLOOR[room(m)] > FLOOR[own]}
    assert not up


def test_no_module_imports_itself_by_a_detour():
    TopologicalSorter(ARROWS).prepare()  # CycleError names the circle


def test_no_room_imports_itself_by_a_detour():
    rooms: dict[str, set[str]] = {}
    for module, found in ARROWS.items():
        rooms.setdefault(room(module), set()).update(map(room, found))
    TopologicalSorter({r: found - {r} for r, found in rooms.items()}).prepare()


def test_ray_is_imported_by_the_pool_alone():
    assert importers("ray") == {"darbench.search.ray_pool"}


def test_optuna_is_imported_by_the_study_its_judge_and_its_importances_alone():
    files = ("study", "judge", "importance", "samplers")
    assert importers("optuna") == {f"darbench.search.{file}" for file in files}


def test_records_import_no_third_party():
    for module, path in MODULES.items():
        if room(module) in ("records", "errors"):
            outer = {i.partition(".")[0] for i in imports(path)}
            assert outer - {"darbench"} <= sys.stdlib_module_names, module


def test_a_routing_imports_only_the_interface_and_what_it_computes_with():
    """It never imports another paper's routing; a module that registers none may be shared."""
    files = {m: path for m, path in MODULES.items() if m.startswith("darbench.routing.")}
    rooms = {m: [*imports(path)] for m, path in files.items()}
    variants = {m for m, found in rooms.items() if "darbench.registry.register" in found}
    shared = rooms.keys() - variants
    allowed = (*shared, "darbench.registry", "darbench.records.paper", "darbench.ops", "torch")
    for module, found in rooms.items():
        outer = [i for i in found if i.partition(".")[0] not in sys.stdlib_module_names]
        assert [i for i in outer if not lies_in(i, *allowed)] == [], module


def test_the_model_knows_no_tables_no_cluster_and_no_yaml():
    for library in ("polars", "ray", "yaml", "hydra", "omegaconf"):
        assert not [m for m in importers(library) if lies_in(m, "darbench.model")], library


def test_a_leaderboard_is_built_and_a_space_is_checked_without_torch():
    code = f"import sys, importlib; [importlib.import_module(m) for m in {TORCH_FREE}]"
    code += "; sys.exit('torch' in sys.modules or 'ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
