"""docs/architecture.md is true: where tests lie, and what to touch to add something."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The cells of the first table whose first heading is this."""
    start = TEXT.index(f"\n| {heading} |") + 1
    lines = TEXT[start : TEXT.index("\n\n", start)].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def has_code(path: Path) -> bool:
    """Whether there is more in the file than what it says of itself."""
    return any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)


PACKAGE = ROOT / "darbench"
MODULES = {
    str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py") if has_code(path)
}
ELSEWHERE = {
    pattern: quoted(tests) for of, tests in table("of `darbench/`") for pattern in quoted(of)
}


def own_test(module: str) -> Path:
    """The test file that is named after the module, or after the package that it opens."""
    path = Path(module)
    if path.name == "__init__.py":
        path = path.parent
    return ROOT / "tests" / path.parent / f"test_{path.stem}.py"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_tests_where_they_are_looked_for(module):
    rows = [pattern for pattern in ELSEWHERE if fnmatch(module, pattern)]
    assert own_test(module).is_file() or rows, "name the test after it, or add it to the table"


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_a_row_of_the_table_is_needed_and_its_tests_exist(pattern):
    of = [module for module in MODULES if fnmatch(module, pattern)]
    assert any(not own_test(module).is_file() for module in of), "it has a test of its own"
    assert all((ROOT / "tests" / name).is_file() for name in ELSEWHERE[pattern])


def test_what_to_touch_and_to_imitate_is_there():
    rows = table("to add a")
    assert {what for what, *_ in rows} >= {
        *("routing", "task", "dataset", "metric", "setting", "verb", "operator", "search space")
    }
    for what, touch, imitate in rows:
        paths = [name for name in quoted(touch + imitate) if "/" in name]
        paths = [name.removeprefix("python ") for name in paths]
        assert quoted(imitate) and paths, what
        assert [name for name in paths if not (ROOT / name).exists()] == [], what


def test_no_test_file_imports_another():
    for path in (ROOT / "tests").rglob("*.py"):
        found = re.findall(r"^(?:from|import) tests[\w.]*\.test_.*", path.read_text(), re.M)
        assert found == [], path
