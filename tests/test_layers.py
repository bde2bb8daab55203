"""Which way imports point, read from the source of every module: lower never imports higher."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import darbench

PACKAGE = Path(darbench.__file__).parent
LEVELS = {
    0: (
        "ops", "arithmetic", "audit", "records", "rules", "protocol", "schema", "errors",
        "streams", "papers",
    ),
    1: ("routing", "registry", "own_encoders", "plugins"),
    2: ("model", "flow", "data"),
    3: ("metrics", "encoders"),
    4: (
        "train", "evaluate", "generate", "recipe", "budget", "diagnose", "search.space",
        "search.compose", "store", "stats", "noise", "power",
    ),
    5: ("search", "board", "bench", "testing", "catalogue", "card"),
    6: ("cli", "display", "reports", "scaffold", "__main__"),
}  # fmt: skip
LEVEL = {f"darbench.{room}": level for level, rooms in LEVELS.items() for room in rooms}
MODULES = {
    ".".join(["darbench", *path.relative_to(PACKAGE).with_suffix("").parts]): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TORCH_FREE = (
    "darbench", "darbench.cli", "darbench.board.build", "darbench.search.space",
    "darbench.search.compose", "darbench.analysis.effects", "darbench.store.ledger", "darbench.store.tables",
    "darbench.store.environment",
)  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all imports, also of those within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(name: str) -> int | None:
    """Of the room that a dotted name lies in, the most special room first."""
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((LEVEL[prefix] for prefix in prefixes if prefix in LEVEL), None)


def importers(library: str) -> set[str]:
    return {
        name
        for name, path in MODULES.items()
        if any(i == library or i.startswith(f"{library}.") for i in imports(path))
    }


def test_every_module_has_a_level():
    packages = {"darbench.__init__", "darbench.conf.__init__"}
    assert [m for m in MODULES if level(m) is None and m not in packages] == []


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_a_higher_one(module):
    own = level(module)
    if own is None:
        assert not [i for i in imports(MODULES[module]) if i.startswith("darbench")]
        return
    inner = [i for i in imports(MODULES[module]) if i.startswith("darbench.")]
    assert [i for i in inner if (level(i) or 0) > own] == []


def test_ray_is_imported_by_the_sweep_alone():
    assert importers("ray") == {"darbench.search.sweep"}


def test_optuna_is_imported_by_the_proposer_alone():
    assert importers("optuna") == {"darbench.search.propose"}


def test_what_a_board_reads_rows_with_imports_no_third_party():
    for module in ("records", "rules", "protocol", "schema", "errors"):
        outer = {i.partition(".")[0] for i in imports(MODULES[f"darbench.{module}"])}
        assert outer - {"darbench"} <= sys.stdlib_module_names, module


def test_a_routing_imports_only_the_interface_and_what_it_computes_with():
    """And never another paper's routing; a module that registers none may be shared."""
    files = {m: path for m, path in MODULES.items() if m.startswith("darbench.routing.")}
    del files["darbench.routing.__init__"]  # it imports them all, to register them
    rooms = {m.removesuffix(".__init__"): [*imports(path)] for m, path in files.items()}
    variants = {m for m, found in rooms.items() if "darbench.registry.register" in found}
    shared = tuple(rooms.keys() - variants)
    allowed = (*shared, "darbench.registry", "darbench.ops", "torch")
    for module, found in rooms.items():
        outer = [i for i in found if i.partition(".")[0] not in sys.stdlib_module_names]
        assert [i for i in outer if not i.startswith(allowed)] == [], module


def test_the_model_knows_no_tables_no_cluster_and_no_yaml():
    for library in ("polars", "ray", "yaml", "hydra", "omegaconf"):
        assert not [m for m in importers(library) if m.startswith("darbench.model")], library


def test_a_leaderboard_is_built_and_a_space_is_checked_without_torch():
    code = f"import sys, importlib; [importlib.import_module(m) for m in {TORCH_FREE}]"
    code += "; sys.exit('torch' in sys.modules or 'ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
