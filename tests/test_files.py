import os
import subprocess
import sys
from pathlib import Path

import pytest

from darbench.files import abandoned, replacing


def test_a_reader_sees_the_old_content_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with replacing(path, flush=True) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.parent == path.parent
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["page.html"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_error_the_old_file_lies_there_alone(tmp_path, error):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["page.html"]


def test_a_file_that_was_not_written_replaces_none(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


KILLED = """
import os, signal, sys
from pathlib import Path
from darbench.files import abandoned, replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print(partial, flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def writer(path: Path, fate: str) -> tuple[subprocess.Popen, Path]:
    """A process that was killed while it wrote a file, or still writes it; its partial file."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), fate],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_was_writing_goes_with_the_next_file(tmp_path):
    killed, left = writer(tmp_path / "a.png", "killed")
    killed.communicate()
    assert left.read_text() == "half" and left.parent == tmp_path
    living, used = writer(tmp_path / "b.png", "living")
    assert not left.exists()
    beside = [".a.png.swp", ".a.png.1-2", f"a{left.name}", f".a.png.elsewhere-{killed.pid}"]
    for name in beside:
        (tmp_path / name).write_text("x")
    os.rename(tmp_path / beside[2], tmp_path / f"{left.name}.txt")
    with replacing(tmp_path / "c.png") as partial:
        partial.write_text("new")
    assert used.read_text() == "half"
    living.communicate("")
    beside[2] = f"{left.name}.txt"
    assert {*os.listdir(tmp_path)} == {*beside, "b.png", "c.png"}


def test_what_killed_processes_were_writing_is_named(tmp_path):
    killed, left = writer(tmp_path / "a.png", "killed")
    killed.communicate()
    (tmp_path / ".a.png.swp").write_text("x")
    assert abandoned(tmp_path) == [left] and abandoned(tmp_path / "nowhere") == []
