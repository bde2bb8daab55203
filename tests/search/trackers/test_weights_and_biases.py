"""Runs without a network, read back from the files that `wandb sync` would send."""

import json
import struct
import time

import pytest
from wandb.proto import wandb_internal_pb2

from darbench.search.trackers.weights_and_biases import WeightsAndBiases
from tests.make.rows import last_row, trial_rows
from tests.make.trials import toy_trial

HEADER, BLOCK = 7, 2**15  # bytes
WHOLE, LAST = 1, 4


def records(path):
    """The records of a file like LevelDB's logs: parts with checksum, length and kind."""
    data, at, whole = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if (left := BLOCK - at % BLOCK) < HEADER:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if at + HEADER + length > len(data):  # a write in progress
            return
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (WHOLE, LAST):
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


def run_of(path) -> tuple[wandb_internal_pb2.RunRecord, dict[int, dict[str, float]], int]:
    """The run, its logged numbers by step, and its exit code."""
    run, logged, code = None, {}, None
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = run or record.run
        elif kind == "history":
            items = {
                ".".join(item.nested_key) or item.key: json.loads(item.value_json)
                for item in record.history.item
            }
            logged[int(items["_step"])] = items
        elif kind == "exit":
            code = record.exit.exit_code
    return run, logged, code


def ended(path) -> tuple[wandb_internal_pb2.RunRecord, dict[int, dict[str, float]], int]:
    """What `run_of` finds once the service beside has written all of it."""
    deadline = time.monotonic() + 60
    while (found := run_of(path))[2] is None:
        assert time.monotonic() < deadline, "it does not end"
        time.sleep(0.05)
    return found


def test_offline_runs_hold_every_number_and_nothing_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "mine"
    folder.mkdir()
    good, bad = toy_trial(label="dar, c4"), toy_trial(label="add", pair_id=3)
    tracker, rows = WeightsAndBiases(folder), trial_rows(good)
    tracker.show(rows[0])
    tracker.show(last_row(bad, None, status="crashed", step=0))
    for row in rows[1:]:
        tracker.show(row)
    tracker.close()
    found = {}
    for path in folder.glob("wandb/offline-run-*/*.wandb"):
        run, logged, code = ended(path)
        found[run.display_name] = run, logged, code
        assert run.host == "" and str(tmp_path).encode() not in path.read_bytes()
    assert found.keys() == {"dar, c4, seed 0", "add, seed 3"}
    run, logged, code = found["dar, c4, seed 0"]
    assert (run.project, run.run_group, run.job_type, code) == ("mine", "dar, c4", "confirm", 0)
    assert [*logged] == [row["step"] for row in rows]
    for row in rows:
        assert logged[row["step"]]["val_loss"] == pytest.approx(row["val_loss"])
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["model"] == json.loads(rows[0]["config_json"])["model"] and config["seed"] == 0
    assert found["add, seed 3"][2] == 1
