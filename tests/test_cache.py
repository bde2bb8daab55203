import json
import os
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


def entry_of(what: str) -> Path:
    (path,) = cache.folder().glob(f"{what}-*.json")
    return path


def made_at(time: int, make) -> str:
    """The name of a new result's file, which was written at that time."""
    before = {*cache.folder().iterdir()}
    remembered("thing", time, make)
    (path,) = {*cache.folder().iterdir()} - before
    os.utime(path, (time, time))
    return path.name


def test_what_was_made_is_read_again(calls):
    first = remembered("thing", ["a", 1], calls)
    assert remembered("thing", ["a", 1], calls) == first == {"n": 0, "list": [1.5, None, "ü"]}
    assert calls.times() == 1


def test_another_key_name_or_code_makes_another(calls, monkeypatch):
    for what, key in (("thing", 1), ("thing", 1.0), ("thing", True), ("other", 1)):
        remembered(what, key, calls)
    assert calls.times() == 4
    monkeypatch.setattr(cache, "CODE", "other files of darbench")
    remembered("thing", 1, calls)
    assert calls.times() == 5


def test_with_files_that_changed_since_the_start_nothing_is_kept(calls, monkeypatch):
    monkeypatch.setattr(cache, "code", lambda: "edited meanwhile")
    assert [remembered("thing", 1, calls)["n"] for _ in range(2)] == [0, 1]
    assert not cache.folder().exists()


def test_only_the_newest_results_of_a_kind_stay_and_nothing_else_is_deleted(calls, monkeypatch):
    monkeypatch.setattr(cache, "MOST", 2)
    remembered("thing-b", 1, calls)
    strangers = {"thing.json", f"thing-{'0' * 31}.json", f"thing-{'0' * 32}.json.bak"}
    for name in strangers:
        (cache.folder() / name).write_text("mine")
    strangers.add(entry_of("thing-b").name)
    first, *newest = [made_at(time, calls) for time in (1, 2, 3)]
    assert {path.name for path in cache.folder().iterdir()} == strangers | {*newest}
    assert calls.times() == 4 and first not in newest


def test_a_file_that_is_gone_before_it_is_read_does_no_harm(monkeypatch):
    whole = cache.code()

    def vanishes_before(read):
        def method(path, *args, **kwargs):
            if path.name == "cache.py":
                raise FileNotFoundError(path)
            return read(path, *args, **kwargs)

        return method

    for name in ("stat", "read_bytes"):
        monkeypatch.setattr(Path, name, vanishes_before(getattr(Path, name)))
    assert cache.code() != whole


def test_the_code_changes_and_changes_back_with_a_file(monkeypatch):
    whole = cache.code()
    file = Path(cache.__file__)
    text, status = file.read_bytes(), file.stat()
    read, look = Path.read_bytes, Path.stat

    class Later:
        st_mtime_ns, st_size = status.st_mtime_ns + 1, status.st_size

    monkeypatch.setattr(Path, "stat", lambda p: Later if p == file else look(p))
    monkeypatch.setattr(Path, "read_bytes", lambda p: text + b"#" if p == file else read(p))
    assert cache.code() != whole
    monkeypatch.undo()
    assert cache.code() == whole


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


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, whose files may be edited."""
    here = Path(darbench.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(here, tmp_path / "darbench", ignore=ignored)
    return tmp_path


def describe(copy: Path, before: str = "") -> tuple[str, bool]:
    """The description of `add` in a copy, and whether torch was imported for it."""
    code = (
        f"import json, sys\n{before}\nfrom darbench.commands.describe import describe\n"
        "print(json.dumps([describe('add'), 'torch' in sys.modules]))"
    )
    environment = {"PYTHONPATH": str(copy), "DARBENCH_CACHE": str(copy / "cache")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=copy
    )
    return tuple(json.loads(done.stdout))


def test_an_edited_routing_is_seen_and_nothing_else_is_worked_out_twice(copy):
    first, imported = describe(copy)
    assert imported and describe(copy) == (first, False)
    path = copy / "darbench" / "routing" / "add.py"
    text = path.read_text()
    name = "sum, edited"
    path.write_text(text.replace(text.splitlines()[0], f'"""The {name}."""'))
    second, imported = describe(copy)
    assert imported and f"add: The {name}." in second and name not in first
    path.write_text(text)
    assert describe(copy) == (first, False)


def test_what_a_notebook_makes_of_code_that_was_edited_since_is_not_kept(copy):
    edit = (
        "import darbench.routing; from pathlib import Path; p = Path('darbench/routing/add.py'); "
        't = p.read_text(); p.write_text(t.replace(t.splitlines()[0], \'"""The new one."""\'))'
    )
    old, _ = describe(copy, before=edit)
    new, _ = describe(copy)
    assert "The new one." not in old and "add: The new one." in new


def test_its_entries_are_its_own_files_and_no_other(calls):
    assert cache.entries() == []
    remembered("thing", 1, calls)
    (cache.folder() / "digits-cnn-778ed95db54a6a1b.safetensors").write_text("features")
    for name in ("mine.json", "notes-of-1999.json", "digits-cnn-778ed95db54a6a1b.pt"):
        (cache.folder() / name).write_text("the user's")
    assert {path.name for path in cache.entries()} == {
        entry_of("thing").name,
        "digits-cnn-778ed95db54a6a1b.safetensors",
    }
