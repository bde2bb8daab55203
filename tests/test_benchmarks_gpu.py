"""benchmarks/gpu.py at toy sizes on the CPU: cells are filled, and nothing measured is lost."""

import json
import os
import re
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GPU = ROOT / "benchmarks" / "gpu.py"
README = (ROOT / "README.md").read_text()


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """The script as a module; it finds its parts, and the other benchmarks, beside itself."""
    monkeypatch.syspath_prepend(str(GPU.parent))
    return import_module("gpu")


def cells(lines):
    return sorted((line, column) for line, columns in lines.items() for column in columns)


IN_PROCESS = ("read", "streams", "steps", "one_graph", "repeat")


@pytest.mark.parametrize("name", IN_PROCESS)
def test_a_part_measures_its_first_cell(name):
    part = import_module(f"gpu_parts.{name}")
    row = next(part.rows("cpu"))
    assert not row.failed, row.cell
    assert row.column in part.LINES[row.line]
    assert row.cell and json.loads(json.dumps(row.figures))


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_PROCESS)
def test_a_part_fills_every_cell_that_it_names(name):
    part = import_module(f"gpu_parts.{name}")
    rows = [*part.rows("cpu")]
    assert [row.cell for row in rows if row.failed] == []
    assert sorted((row.line, row.column) for row in rows) == cells(part.LINES)


def test_the_command_ends_with_its_figures_and_a_table(gpu, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--only", "read", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        gpu.main()
    said = capsys.readouterr().out
    assert not left.value.code
    assert "no figure means anything" in said
    assert (tmp_path / "gpu.md").read_text() == said.removesuffix("\n")
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert [(name, part["state"]) for name, part in parts.items()] == [("read", "measured")]
    shown = [row["cell"] for row in parts["read"]["rows"]]
    assert len(shown) == 3 * 2 and all(cell in said for cell in shown)
    assert "unmeasured" in said  # the cells of all other parts


@pytest.mark.slow
def test_all_parts_run_in_one_command(tmp_path):
    command = [sys.executable, str(GPU), "--minutes", "30", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unmeasured" not in done.stdout and "cut off" not in done.stdout
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    (tests,) = parts["device_tests"]["rows"]
    assert tests["figures"]["passed"] > 0


def test_a_part_that_takes_too_long_is_cut_off_and_that_is_no_failure(gpu):
    outcome = gpu.run("streams", 0.1)
    assert (outcome.state, outcome.rows, outcome.failed) == ("cut off", [], False)
    assert gpu.markdown(gpu.part_lines(), {"streams": outcome}).count("cut off") == 3 * 3


def test_what_a_part_has_started_ends_with_it(gpu):
    """A shell's background jobs do not hear the interruption."""
    command = ["sh", "-c", "sleep 60 & sleep 60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    started = time.monotonic()
    assert not gpu.ends_within(process, 0.1)
    assert process.stdout.read() == b""  # only once nobody is left to write
    assert time.monotonic() - started < 30


def test_a_part_that_dies_is_named_with_its_last_words_and_the_exit_code_is_1(
    gpu, monkeypatch, capsys, tmp_path
):
    """Its process imports a module that is out of order; this one has imported it already."""
    (tmp_path / "statistics.py").write_text("raise ImportError('out of order')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--only", "streams", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        gpu.main()
    said = capsys.readouterr().out
    assert left.value.code == 1
    assert said.count("failed: ImportError: out of order") == 3 * 3
    assert said.count("unmeasured") > 9


def test_a_cell_that_fails_is_a_row_with_its_error(gpu):
    record = import_module("gpu_parts.record")
    row = record.attempt("a line", "S/2", lambda: 1 / 0)
    outcome = record.Outcome("measured", 1.0, 2.0, [row])
    assert outcome.failed
    table = gpu.markdown({"streams": {"a line": ("S/2", "B/2")}}, {"streams": outcome})
    assert table.splitlines()[-1] == (
        "| a line |  | failed: ZeroDivisionError: division by zero | measured |  |"
    )


def test_a_ratio_is_the_median_over_rounds_of_one_time_over_ours():
    passes = import_module("gpu_parts.passes").Passes
    ours = passes([[1.0, 2.0], [10.0, 2.0], [2.0, 4.0]])
    other = passes([[3.0, 2.0], [20.0, 10.0], [8.0, 4.0]])
    assert ours.ms == [2.0, 2.0]
    assert other.times_of(ours) == [3.0, 1.0]


def test_the_readme_has_every_line_of_the_table_and_a_figure_or_unmeasured_in_each_cell(gpu):
    """Figures may be filled in; which cells there are is what the script says."""

    def form(table):
        rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
        return [(title, *(cell != "" for cell in row)) for title, *row in rows]

    wanted = gpu.markdown(gpu.part_lines(), {})
    found = re.search(r"^\| on one GPU \|.*?(?=\n\n)", README, re.M | re.S)
    assert form(found.group()) == form(wanted)
