"""The README stays true: its commands are those CI runs, its code and its search space work."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from darbench.board.build import build
from darbench.cli.app import app
from darbench.commands.new import new
from darbench.registry import ROUTINGS, signatures
from darbench.search.load import load_space
from darbench.store.ledger import append
from tests.make.rows import entry_rows

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a sweep's results and the README's search space."""
    sweep = tmp_path / "leaderboards" / "dar_variants"
    for row in entry_rows("add") + entry_rows("dar"):
        append(sweep / "ledger" / "worker.jsonl", row)
    build("dar_variants", tmp_path / "leaderboards")
    space = tmp_path / "path" / "to" / "my_space.yaml"
    space.parent.mkdir(parents=True)
    space.write_text(blocks("yaml")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))
    return tmp_path


def test_ci_runs_the_readmes_test_command():
    install_and_test = blocks("sh")[-1].strip()
    assert install_and_test.endswith(".venv/bin/pytest")
    assert install_and_test in (ROOT / ".ci" / "run").read_text().replace("install -q", "install")


def test_first_command_installs_and_sweeps_a_shipped_space():
    install, sweep = blocks("sh")[0].strip().rsplit(" && ", 1)
    assert install == "python3 -m venv .venv && .venv/bin/pip install -e ."
    assert shlex.split(sweep)[1:3] == ["sweep", "--space"]
    assert (ROOT / "search_spaces" / f"{shlex.split(sweep)[3]}.yaml").is_file()


def test_python_runs(folder, capsys):
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "val_loss" in capsys.readouterr().out


def test_search_space_composes(folder):
    space = load_space("path/to/my_space.yaml", [], signatures())
    assert len(list(space.grid())) == 1 + 2 * 4


def test_axes_multiply_the_search_space(folder):
    Path("path/to/my_space.yaml").write_text("".join(blocks("yaml")[:2]))
    space = load_space("path/to/my_space.yaml", [], signatures())
    assert len(space.grounds) == 6 and len(list(space.grid())) == 6 * (1 + 2 * 4)


def test_the_search_space_is_tuned(folder):
    Path("path/to/my_space.yaml").write_text(blocks("yaml")[0] + blocks("yaml")[2])
    space = load_space("path/to/my_space.yaml", [], signatures())
    assert [len(own) for own in space.tuned()] == [8] + [16] * 8


LONG = ("train", "worker", "sensitivity", "noise-floor")
# They lack what they need here, and say so.
UNPREPARED = ("prepare", "doctor", "plan", "diagnose", "logs", "merge", "export", "import")


def commands():
    lines = "".join(blocks("sh")[1:-1]).splitlines()
    return [line for line in lines if line.startswith("darbench")]


@pytest.mark.parametrize("line", commands())
def test_commands_are_understood(folder, line):
    words = shlex.split(line, comments=True)[1:]
    if "my_routing.py" in words:
        new("my_routing")
    if words[0] in LONG + UNPREPARED:
        words = [*words, "--help"]
    dry = ["--dry-run"] if words[0] == "sweep" and "--dry-run" not in words else []
    result = CliRunner().invoke(app, [*words, *dry])
    assert result.exit_code == 0, result.output
