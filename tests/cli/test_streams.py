"""Streams of other encodings, without a reader, and closed: by real processes."""

import os
import pty
import subprocess
import sys
from textwrap import dedent

import pytest

ASCII = os.environ | {"PYTHONIOENCODING": "ascii", "TERM": "xterm", "COLUMNS": "100"}
# One character that ASCII lacks, in everything that commands print with.
PRINTED = """
import sys
from rich.table import Table
from darbench.cli.streams import forgive
from darbench.cli.terminal import counting, listening
from darbench.cli.texts import render
from darbench.search.progress import Progress

forgive()
table = Table("α")
table.add_row("α")
print(render(table), "\\udcff")
print("darbench: α", file=sys.stderr)
progress = Progress(total=1, skipped=0, event="done: α")
progress.best = ("α", "fd", 0.5)
with listening(quiet=False) as listener:
    listener(progress)
with counting("α", quiet=False) as listener:
    listener(0, 1, "α")
"""


def darbench(*arguments: str, **keywords) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "darbench", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, **keywords)


def test_what_an_encoding_lacks_is_printed_as_a_question_mark(tmp_path):
    space = tmp_path / "mine.yaml"
    space.write_text(
        "defaults: [{darbench: sweep}, {task: digits-nano}, _self_]\n"
        "variants: [{routing: add, label: α}]\n",
        encoding="utf-8",
    )
    done = darbench("sweep", "--space", str(space), "--dry-run", stdout=subprocess.PIPE, env=ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "?"
    done = darbench("describe", "α", env=ASCII)
    assert done.returncode == 2 and "unknown routing, space or task '?'" in done.stderr


def test_tables_events_and_counts_are_printed_too():
    done = subprocess.run([sys.executable, "-c", dedent(PRINTED)], capture_output=True, env=ASCII)
    assert (done.returncode, done.stderr) == (0, b"darbench: ?\n")
    assert b"done: ?\n" in done.stdout and b"[0/1] ?\n" in done.stdout
    assert done.stdout.isascii() and done.stdout.count(b"?") >= 5


def test_a_terminal_of_another_encoding_shows_progress():
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(PRINTED)], stdout=end, stderr=end, env=ASCII
    )
    os.close(end)
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    assert process.wait() == 0
    assert b"done: ?\r\n" in shown and b"?: fd 0.5000" in shown and b"Traceback" not in shown


@pytest.mark.parametrize("command", [["list", "spaces"], ["--version"], ["--help"]])
def test_a_reader_that_has_seen_enough_leaves_the_exit_code_alone(tmp_path, command):
    reader, writer = os.pipe()
    os.close(reader)
    done = darbench(*command, stdout=writer, cwd=tmp_path)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_input_has_its_exit_code_even_if_nobody_reads_it(tmp_path):
    command = f"{sys.executable} -m darbench describe nothing 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_a_closed_stream_is_no_traceback(tmp_path):
    command = f"{sys.executable} -m darbench list spaces >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_one_line(tmp_path):
    with open("/dev/full", "w") as full:
        done = darbench("list", "spaces", stdout=full, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "darbench: [Errno 28] No space left on device\n")
