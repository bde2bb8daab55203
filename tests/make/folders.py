"""Folders of leaderboards that are made up: rows, states, and processes that hold files."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import torch

from darbench.records.schema import SCHEMA_VERSION
from darbench.store import ledger
from darbench.store.shelf import Folder
from darbench.store.states import State, States

START = datetime(2031, 5, 1, 10, tzinfo=UTC)


def ledger_row(trial="t0", *, code="c0", attempt=1, step=5, final=True, status="ok", **more):
    """A row with no more than a ledger needs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial,
        "variant_code_hash": code,
        "protocol_hash": "p0",
        "attempt": attempt,
        "step": step,
        "final": final,
        "status": status,
        "split": "confirm",
        "config_hash": "k0",
        "params_json": "{}",
        "routing": "add",
        "created_utc": "2031-05-01T10:00:00",
        **more,
    }


def append(folder, trial, minutes=0, **more):
    """Append a row of the trial CONFIG-SEED, written so many minutes after START."""
    when = (START + timedelta(minutes=minutes)).isoformat()
    config, _, seed = trial.partition("-")
    known = {"config_hash": config, "pair_id": int(seed), "created_utc": when, "label": config}
    ledger.append(folder / "ledger" / "w.jsonl", ledger_row(trial, **known | more))


def save_states(folder, trial, source="c0"):
    """Save two states of a trial."""
    identity = {"configuration": trial, "source": source, "protocol": "p0"}
    states = States(Folder(folder / "states" / trial), identity, print)
    for step in (1, 2):
        states.save(State(step=step, plain={}, tensors={"w": torch.ones(2)}))


def holding(path, then: str) -> subprocess.Popen:
    """Another process that holds a file, says so, and goes on with this line."""
    code = f"""
    import os, signal, time
    from pathlib import Path
    from darbench.store.held import hold
    with hold(Path({str(path)!r}), command="darbench sweep") as held:
        held.say(done=7)
        print("held", flush=True)
        {then}
    """
    process = subprocess.Popen([sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def killed_holding(path) -> None:
    """Leave a file as a process leaves it that was killed while it held it."""
    holding(path, "os.kill(os.getpid(), signal.SIGKILL)").wait()
