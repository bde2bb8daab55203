"""When a trial is saved, told by a clock that the tests move."""

from dataclasses import dataclass

import pytest
import torch

from darbench.store.shelf import Folder
from darbench.store.states import State, States
from darbench.trial import keeping
from darbench.trial.keeping import SHARE, Kept, NotKept
from tests.make.trials import tiny_trial


@dataclass
class Counting:
    """A trial whose state is how many steps it has made."""

    done: int = 0

    def tensors(self):
        return {"done": torch.tensor(self.done)}

    def plain(self):
        return {}

    def restore(self, state: State):
        self.done = int(state.tensors["done"])


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have gone by, in a list of one."""
    now = [1000.0]
    monkeypatch.setattr(keeping.time, "perf_counter", lambda: now[0])
    return now


class Slow(States):
    """States whose saves take a while."""

    seconds = 0.0
    clock: list[float]

    def save(self, state):
        super().save(state)
        self.clock[0] += self.seconds


def slow(tmp_path, clock, seconds, every_s=60.0):
    made = Slow(Folder(tmp_path / "t0"), {}, lambda note: None)
    made.seconds, made.clock = seconds, clock
    return Kept(made, every_s, lambda note: None)


def saved(tmp_path) -> list[int]:
    return sorted(int(each.stem) for each in (tmp_path / "t0").glob("*.json"))


def steps(kept, run, clock, count, seconds=1.0):
    for _ in range(count):
        run.done += 1
        clock[0] += seconds
        kept.stepped(run)


def test_a_trial_is_saved_at_every_interval_and_at_its_checkpoints(tmp_path, clock):
    kept = slow(tmp_path, clock, 0.0)
    run = kept.begin(Counting)
    steps(kept, run, clock, 59)
    assert saved(tmp_path) == []
    steps(kept, run, clock, 62)
    assert saved(tmp_path) == [60, 120]
    kept.reached(run)
    assert saved(tmp_path) == [120, 121]
    again = slow(tmp_path, clock, 0.0)
    assert again.begin(Counting).done == 121 == again.resumed_from


@pytest.mark.parametrize("seconds", [0.1, 3.0, 50.0])
def test_saving_takes_a_hundredth_of_the_time_in_training(tmp_path, clock, seconds):
    kept = slow(tmp_path, clock, seconds)
    run, began = kept.begin(Counting), clock[0]
    steps(kept, run, clock, 40_000)
    spent = clock[0] - began - 40_000
    assert seconds <= spent <= max(SHARE * 40_000, seconds)


def test_the_time_of_an_evaluation_is_none_in_training(tmp_path, clock):
    kept = slow(tmp_path, clock, 10.0)
    run = kept.begin(Counting)
    steps(kept, run, clock, 100)
    kept.reached(run)
    clock[0] += 1e6
    kept.reported(run)
    steps(kept, run, clock, 100)
    assert saved(tmp_path) == [60]


def test_what_has_not_been_trained_since_is_not_saved_again(tmp_path, clock, monkeypatch):
    kept = slow(tmp_path, clock, 0.0)
    run = kept.begin(Counting)
    steps(kept, run, clock, 60)
    written = (tmp_path / "t0" / "60.json").stat().st_ino
    kept.reached(run)
    assert (tmp_path / "t0" / "60.json").stat().st_ino == written


def test_the_settings_may_keep_nothing(tmp_path):
    trial = tiny_trial(save_every_s=None)
    assert type(keeping.keeping(trial, "cpu", Folder(tmp_path), print)) is NotKept
