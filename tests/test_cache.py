import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench import cache
from darbench.cache import remembered


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """An empty cache, and a function that counts how often it worked."""
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "cache"))
    made = []

    def make():
        made.append({"n": len(made), "list": [1.5, None, "ü"]})
        return made[-1]

    make.times = lambda: len(made)
    return make


def entry() -> Path:
    (path,) = cache.folder().iterdir()
    return path


def test_what_was_made_is_read_again(calls):
    first = remembered("thing", ["a", 1], calls)
    assert remembered("thing", ["a", 1], calls) == first == {"n": 0, "list": [1.5, None, "ü"]}
    assert calls.times() == 1


def test_another_key_name_or_code_makes_another(calls, monkeypatch):
    for what, key in (("thing", 1), ("thing", 1.0), ("thing", True), ("other", 1)):
        remembered(what, key, calls)
    assert calls.times() == 4
    monkeypatch.setattr(cache, "code", lambda: "other files of darbench")
    remembered("thing", 1, calls)
    assert calls.times() == 5


@pytest.mark.parametrize("damage", [b"", b"torn", b"\xff\xfe", b"0" * 32 + b"\n{}"])
def test_a_damaged_entry_is_made_anew(calls, damage):
    remembered("thing", 1, calls)
    entry().write_bytes(damage)
    assert remembered("thing", 1, calls)["n"] == 1
    assert remembered("thing", 1, calls)["n"] == 1


def test_a_value_that_was_changed_by_hand_is_not_believed(calls):
    remembered("thing", 1, calls)
    entry().write_text(entry().read_text().replace("1.5", "2.5"))
    assert remembered("thing", 1, calls)["list"][0] == 1.5


def test_an_entry_that_was_copied_over_another_is_not_believed(calls):
    remembered("thing", 1, calls)
    first = entry()
    remembered("thing", 2, calls)
    (second,) = (path for path in cache.folder().iterdir() if path != first)
    shutil.copyfile(first, second)
    assert remembered("thing", 2, calls)["n"] == 2


def test_without_a_folder_that_can_be_written_it_is_made_every_time(calls, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "file" / "below"))
    remembered("thing", 1, calls)
    assert remembered("thing", 1, calls)["n"] == 1


def test_an_error_is_not_kept(calls):
    with pytest.raises(ZeroDivisionError):
        remembered("thing", 1, lambda: 1 // 0)
    assert remembered("thing", 1, calls)["n"] == 0


def test_an_edited_routing_is_seen_and_nothing_else_is_worked_out_twice(tmp_path):
    """The test edits files in a copy of the package."""
    here = Path(darbench.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(here, tmp_path / "darbench", ignore=ignored)
    environment = {"PYTHONPATH": str(tmp_path), "DARBENCH_CACHE": str(tmp_path / "cache")}

    def describe() -> tuple[str, bool]:
        """The description of `add`, and whether torch was imported for it."""
        code = (
            "import json, sys; from darbench.commands.describe import describe; "
            "print(json.dumps([describe('add'), 'torch' in sys.modules]))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        )
        return tuple(json.loads(done.stdout))

    first, imported = describe()
    assert imported and describe() == (first, False)
    path = tmp_path / "darbench" / "routing" / "add.py"
    text = path.read_text()
    name = "sum, edited"
    path.write_text(text.replace(text.splitlines()[0], f'"""The {name}."""'))
    second, imported = describe()
    assert imported and f"add: The {name}." in second and name not in first
    path.write_text(text)
    assert describe() == (first, False)
