import json
import os
import subprocess
import sys
import threading
from textwrap import dedent

import pytest

from darbench.errors import BadInput
from darbench.records.schema import COLUMNS
from darbench.store import ledger
from tests.make.folders import ledger_row as row


def whole(*rows: dict) -> list[dict]:
    """The rows as they are read: with every column."""
    return [dict.fromkeys(COLUMNS) | row for row in rows]


def test_what_is_appended_is_read_back_in_order(tmp_path):
    rows = [row(step=step, final=step == 3, label='é "quoted"\nline') for step in (1, 2, 3)]
    for one in rows:
        ledger.append(tmp_path / "ledger" / "a.jsonl", one)
    ledger.append(tmp_path / "ledger" / "b.jsonl", row("t1"))
    assert ledger.read_ledger(tmp_path / "ledger") == whole(*rows, row("t1"))
    assert ledger.read_ledger(tmp_path / "nowhere") == []


def test_writers_in_several_processes_do_not_mix_lines(tmp_path):
    code = f"""
    from pathlib import Path
    from darbench.store import ledger
    row = {row()!r} | {{"x": "y" * 3000}}
    for step in range(50):
        ledger.append(Path({str(tmp_path)!r}) / "a.jsonl", row)
    """
    writers = [subprocess.Popen([sys.executable, "-c", dedent(code)]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(ledger.read_ledger(tmp_path)) == 100


def test_a_torn_last_line_is_passed_over_then_cut_off_and_said(tmp_path):
    path = tmp_path / "a.jsonl"
    ledger.append(path, row())
    with path.open("ab") as file:
        file.write(b'{"schema_version": 1, "trial')
    assert ledger.read_ledger(tmp_path) == whole(row())
    (said,) = ledger.repair(tmp_path)
    assert str(path) in said and "torn last line of 28 bytes" in said
    ledger.append(path, row("t1"))
    assert ledger.read_ledger(tmp_path) == whole(row(), row("t1"))
    assert ledger.repair(tmp_path) == []


def test_a_line_is_written_whole_or_not_at_all(tmp_path):
    """A limit on the file's size stands for a full disk."""
    code = f"""
    import resource, signal
    from pathlib import Path
    from darbench.store import ledger
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    ledger.append(Path({str(tmp_path)!r}) / "a.jsonl", {row()!r} | {{"x": "y" * 400}})
    try:
        ledger.append(Path({str(tmp_path)!r}) / "a.jsonl", {row()!r} | {{"x": "y" * 400}})
    except OSError as error:
        print(error.strerror)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True)
    assert "bytes could be written" in done.stdout
    assert ledger.repair(tmp_path) == []
    assert len(ledger.read_ledger(tmp_path)) == 1


@pytest.mark.parametrize("line", [b"{", b"[1]", b"7", b"{}", b"\xff\xfe", b"", b'"text"'])
def test_a_line_in_the_middle_that_is_no_row_is_named(tmp_path, line):
    good = json.dumps(row()).encode()
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([good, line, good, b""]))
    with pytest.raises(BadInput, match=r"a\.jsonl:2: not a ledger row; move the file away"):
        ledger.read_ledger(tmp_path)


def test_a_newer_schema_is_refused_with_a_way_out(tmp_path):
    ledger.append(tmp_path / "a.jsonl", row() | {"schema_version": 99, "darbench_version": "9.9"})
    with pytest.raises(BadInput, match=r"version 99, .* reads up to 2; use .*9\.9.*--out"):
        ledger.read_ledger(tmp_path)


def test_only_one_sweep_writes_to_a_folder(tmp_path):
    with (
        ledger.lock(tmp_path / "x"),
        pytest.raises(BadInput, match="is written by process"),
        ledger.lock(tmp_path / "x"),
    ):
        pass
    with ledger.lock(tmp_path / "x"), ledger.lock(tmp_path / "y"):
        pass


def test_a_killed_sweep_leaves_no_lock(tmp_path):
    code = f"""
    import os, signal
    from pathlib import Path
    from darbench.store import ledger
    with ledger.lock(Path({str(tmp_path)!r})):
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", dedent(code)]).returncode == -9
    with ledger.lock(tmp_path):
        pass


def orphan(tmp_path, seconds: float) -> subprocess.Popen:
    """A worker in mid-trial, whose driver is gone; it writes a row at the end."""
    code = f"""
    import time
    from pathlib import Path
    from darbench.store import ledger
    with ledger.working(Path({str(tmp_path)!r})):
        print("at work", flush=True)
        time.sleep({seconds})
        ledger.append(Path({str(tmp_path)!r}) / "a.jsonl", {row()!r})
    """
    process = subprocess.Popen([sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"at work\n"
    return process


def test_a_sweep_waits_for_the_workers_of_a_killed_one(tmp_path):
    with orphan(tmp_path, 1), ledger.lock(tmp_path):
        assert ledger.read_ledger(tmp_path) == whole(row())


def test_a_worker_that_hangs_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "ORPHANS_S", 0.2)
    with orphan(tmp_path, 60) as process:
        with ledger.lock(tmp_path):
            assert ledger.read_ledger(tmp_path) == []
        process.kill()


def test_workers_of_one_sweep_do_not_wait_for_each_other(tmp_path):
    def both() -> None:
        with ledger.working(tmp_path), ledger.working(tmp_path):
            pass

    thread = threading.Thread(target=both, daemon=True)  # a fault would wait for ever
    thread.start()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BadInput, match=r"cannot write to .*file/x: .*; choose another --out"),
        ledger.lock(tmp_path / "file" / "x"),
    ):
        pass
    assert os.listdir(tmp_path) == ["file"]


def test_finished_means_a_last_row_that_another_try_would_not_better():
    rows = [
        row("running", final=False),
        row("ok"),
        row("crashed", status="crashed"),
        row("oom", status="oom"),
        row("timeout", status="timeout"),
        row("diverged", status="diverged"),
    ]
    found = ledger.finished(rows)
    assert {row["trial_id"] for row in found.values()} == {"ok", "diverged"}
    assert list(found) == [ledger.row_key(row) for row in found.values()]


@pytest.mark.parametrize("told_by", ["variant_code_hash", "protocol_hash", "split"])
def test_what_is_another_trial_does_not_stand_for_the_first(told_by):
    assert len(ledger.finished([row(), row(**{told_by: "other"}), row()])) == 2


def test_attempts_are_counted_by_trial():
    rows = [row(attempt=1, final=False), row(attempt=2), row("t1")]
    assert ledger.attempts(rows) == {"t0": 2, "t1": 1}


def test_the_latest_row_of_an_attempt_is_the_final_one(tmp_path):
    for one in (
        row(step=4, attempt=1),
        row(step=2, attempt=2, final=False),
        row(step=0, attempt=2, status="crashed"),
        row("t1", step=9, attempt=2),
    ):
        ledger.append(tmp_path / "a.jsonl", one)
    assert ledger.latest(tmp_path, "t0", 2)["status"] == "crashed"
    assert ledger.latest(tmp_path, "t0", 1)["step"] == 4
    assert ledger.latest(tmp_path, "t0", 3) is None
