"""Trials that are cut off end with the rows of those that were not, to the bit on the CPU."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from darbench.records.schema import SCHEMA
from darbench.records.trial import Trial
from darbench.registry import ROUTINGS
from darbench.search.worker import RowWriter, run_trial
from darbench.store import ledger, states
from darbench.trial import keeping
from darbench.trial.train import Run
from tests.make.trials import DIGITS, tiny_trial
from tests.trial.routings import BnRead, DropPath
from tests.trial.runs import aligned

EVERY_STEP = 1e-9  # seconds
STABLE = [column.name for column in SCHEMA if not column.volatile]


class Cut(BaseException):
    """What ends a process, as no code can catch it."""


@pytest.fixture(autouse=True)
def free(monkeypatch):
    """Let saving take longer than the training of these short trials."""
    monkeypatch.setattr(keeping, "SHARE", float("inf"))


def six_steps(routing: str = "add", **changes) -> Trial:
    return tiny_trial(routing, **{"steps": 6, "save_every_s": EVERY_STEP} | changes)


def hashes(trial, folder, *, said=lambda note: None, attempt=1, device="cpu") -> dict[int, str]:
    rows = run_trial(trial, RowWriter(folder=folder, device=device), attempt, say=said)
    return {row["step"]: row["row_hash"] for row in rows}


def measured(row) -> dict:
    """The hash of a row, and all that it says beyond times and provenance."""
    return {name: row[name] for name in ("row_hash", *STABLE)}


def cut(
    monkeypatch, trial: Trial, folder, name: str, where: Callable[[int, int], int], device="cpu"
) -> None:
    """Run the trial until a method of Run is called for a step, of the two checkpoints'."""
    whole = getattr(Run, name)

    def method(run, *given):
        if where(*run.checkpoints) in given:
            raise Cut
        return whole(run, *given)

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Run, name, method)
        hashes(trial, folder, device=device)


CUTS = {
    "before the first checkpoint": ("step", lambda first, last: first),
    "in an evaluation": ("_evaluate", lambda first, last: first),
    "between checkpoints": ("step", lambda first, last: last - 1),
}


def demand_equal(monkeypatch, tmp_path, trial: Trial, names=tuple(CUTS)) -> None:
    uncut, folder = tmp_path / "uncut", tmp_path / "cut"
    hashes(trial, uncut)
    for name in names:
        cut(monkeypatch, trial, folder, *CUTS[name])
    hashes(trial, folder, attempt=2)
    rows = ledger.read_ledger(folder / "ledger")
    assert [*map(measured, rows)] == [*map(measured, ledger.read_ledger(uncut / "ledger"))]
    assert rows[-1]["status"] == "ok" and rows[-1]["resumed_from"] is not None
    assert not (folder / "states" / trial.id).exists()


@pytest.mark.parametrize("routing", ROUTINGS.names())
def test_every_routing_goes_on_as_if_it_had_not_been_cut_off(monkeypatch, tmp_path, routing):
    demand_equal(monkeypatch, tmp_path, six_steps(routing), ["between checkpoints"])


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "repa", "repa": aligned(layer=1)},
        {"objective": "data"},
        {"objective": "noise", "weighting": "velocity", "precision": "bfloat16"},
        {"schedule": "cosine", "warmup": 2, "weight_decay": 0.1, "micro_batch": 4},
        pytest.param(
            {"task": replace(DIGITS, data="photos", extractor="photos-cnn")},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["repa", "data", "noise", "schedule", "photos"],
)
def test_every_recipe_does_wherever_it_is_cut_off(monkeypatch, tmp_path, changes):
    """Cut three times, so that what is gone on with was itself gone on with."""
    demand_equal(monkeypatch, tmp_path, six_steps("hyper", **changes))


@pytest.mark.parametrize("cls", [BnRead, DropPath])
def test_buffers_and_draws_are_those_of_the_uncut_trial(monkeypatch, tmp_path, cls):
    ROUTINGS.names()
    monkeypatch.setitem(ROUTINGS._made, "own", cls)
    demand_equal(monkeypatch, tmp_path, six_steps("own"))


@pytest.mark.device
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_ends_near_the_uncut_one(monkeypatch, tmp_path):
    """There sums are in any order, and two equal trials differ by rounding."""
    trial, where = six_steps("dar"), {"device": "cuda"}
    *_, uncut = run_trial(trial, RowWriter(folder=tmp_path / "uncut", **where))
    cut(monkeypatch, trial, tmp_path / "cut", *CUTS["between checkpoints"], **where)
    *_, last = run_trial(trial, RowWriter(folder=tmp_path / "cut", **where))
    assert last["resumed_from"] is not None
    assert last["val_loss"] == pytest.approx(uncut["val_loss"], rel=1e-3)
    assert last["audit_noise"] == uncut["audit_noise"]


def test_a_checkpoint_that_has_its_row_is_not_evaluated_again(monkeypatch, tmp_path):
    trial, evaluated = six_steps(save_every_s=1e6), []
    whole = Run._evaluate
    monkeypatch.setattr(
        Run, "_evaluate", lambda run, *given: evaluated.append(given[1]) or whole(run, *given)
    )
    cut(monkeypatch, trial, tmp_path, "step", lambda first, last: first + 1)
    hashes(trial, tmp_path)
    assert evaluated == [3, 6]


def test_times_are_those_of_all_attempts(monkeypatch, tmp_path):
    trial = cut_off(monkeypatch, tmp_path)
    (first,) = ledger.read_ledger(tmp_path / "ledger")
    (last,) = run_trial(trial, RowWriter(folder=tmp_path))
    assert last["resumed_from"] == 4 and first["resumed_from"] is None
    assert last["train_seconds"] > first["train_seconds"] > 0
    assert last["eval_seconds"] > first["eval_seconds"] > 0


def test_a_trial_cut_off_in_a_save_goes_on_from_the_one_before(monkeypatch, tmp_path):
    trial, saved = six_steps(), []
    uncut, whole = hashes(trial, tmp_path / "uncut"), states.States._write

    def write(self, step, *given):
        if step == 5:
            raise Cut
        saved.append(step)
        whole(self, step, *given)

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(states.States, "_write", write)
        hashes(trial, tmp_path / "cut")
    said = []
    rows = hashes(trial, tmp_path / "cut", said=said.append)
    assert said == ["goes on from step 4"] and max(saved) == 4
    assert rows == {6: uncut[6]}


@pytest.mark.parametrize("kills", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_a_killed_process_loses_no_row_and_changes_none(tmp_path, kills):
    """SIGKILL at any time: of a forked process, for none has to import torch."""
    trial = six_steps("dar", steps=20 * kills, checkpoints=(0.25, 0.5, 1.0), fd_from=0.0)
    hashes(six_steps(), tmp_path / "warm")
    began = time.monotonic()
    uncut, folder = hashes(trial, tmp_path / "uncut"), tmp_path / "killed"
    seconds, chance = time.monotonic() - began, random.Random(kills)
    for _ in range(kills):
        end_after(seconds * chance.uniform(0.1, 2 / kills), lambda: hashes(trial, folder))
    hashes(trial, folder)
    rows = ledger.read_ledger(folder / "ledger")
    assert {row["step"]: row["row_hash"] for row in rows} == uncut
    assert any(row["resumed_from"] for row in rows)
    assert not list((folder / "states").iterdir())


def end_after(seconds: float, do) -> None:
    """Do it in another process, and kill that; it need not be done by then."""
    process = multiprocessing.get_context("fork").Process(target=do)
    process.start()
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()


# States that are not gone on with


def cut_off(monkeypatch, folder, **changes) -> Trial:
    trial = six_steps(**changes)
    cut(monkeypatch, trial, folder, *CUTS["between checkpoints"])
    return trial


def test_a_damaged_state_gives_way_to_the_one_before(monkeypatch, tmp_path):
    trial, said = cut_off(monkeypatch, tmp_path), []
    newest = tmp_path / "states" / trial.id / "4.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    uncut = hashes(trial, tmp_path / "uncut")
    assert hashes(trial, tmp_path, said=said.append) == {6: uncut[6]}
    assert said == [
        "its state after step 4 is damaged (4.safetensors is not as it was written), passed over",
        "goes on from step 3",
    ]


@pytest.mark.parametrize(
    "other",
    [
        lambda trial, patch: replace(trial, code_hash="c1"),
        lambda trial, patch: patch.setattr(keeping, "ARITHMETIC", 1) or trial,
        lambda trial, patch: patch.setattr(torch, "__version__", "2.13") or trial,
        lambda trial, patch: replace(trial, evaluation=replace(trial.evaluation, val_draws=2)),
    ],
    ids=["source", "arithmetic", "torch", "configuration"],
)
def test_a_state_of_anything_else_is_not_gone_on_with(monkeypatch, tmp_path, other):
    said, trial = [], cut_off(monkeypatch, tmp_path)
    changed = other(trial, monkeypatch)
    assert hashes(changed, tmp_path, said=said.append).keys() == {3, 6}
    assert len(said) == (changed.id == trial.id)
    for line in said:
        assert line.startswith("its state after step 4 is of another ")
        assert line.endswith(": begins anew")


def test_a_state_that_does_not_fit_is_not_gone_on_with(monkeypatch, tmp_path):
    trial, said = cut_off(monkeypatch, tmp_path), []
    uncut = hashes(trial, tmp_path / "uncut")
    monkeypatch.setattr(Run, "restore", lambda run, state: state.tensors["nothing"])
    assert hashes(trial, tmp_path, said=said.append) == uncut
    assert said == ["its state after step 4 does not fit ('nothing'): begins anew"]


def test_a_trial_trains_where_it_cannot_be_saved(tmp_path):
    (tmp_path / "states").write_text("in the way")
    said, trial = [], six_steps()
    assert hashes(trial, tmp_path, said=said.append).keys() == {3, 6}
    assert len(said) == 1 and said[0].startswith("its state cannot be kept (")


def test_without_an_interval_nothing_is_saved(monkeypatch, tmp_path):
    cut_off(monkeypatch, tmp_path, save_every_s=None)
    assert not (tmp_path / "states").exists()


def test_states_may_lie_under_a_url(monkeypatch, tmp_path):
    place = f"file://{tmp_path}/elsewhere"
    demand_equal(monkeypatch, tmp_path, six_steps(save_to=place))
    assert not (tmp_path / "cut" / "states").exists()
    assert {each.name for each in (tmp_path / "elsewhere").iterdir()} == {"uncut", "cut"}
