"""When a trial in progress is saved, so that it goes on where it was after it was cut off."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from darbench import __version__
from darbench.arithmetic import ARITHMETIC
from darbench.records.protocol import protocol_hash
from darbench.records.trial import Trial
from darbench.store.shelf import Shelf
from darbench.store.states import State, States

SHARE = 0.01  # the most of a trial's time in training that saving may take

Say = Callable[[str], None]


class Saved(Protocol):
    """A trial in progress, of which all that decides its later numbers can be taken and given."""

    done: int  # steps

    def tensors(self) -> Mapping[str, Tensor]:
        """Return what is to come's tensors, some of them those in use."""

    def plain(self) -> Mapping[str, Any]:
        """Return the rest, as JSON holds it."""

    def restore(self, state: State) -> None:
        """Take up a state in place of the beginning; ValueError or KeyError if it does not fit."""


Run = TypeVar("Run", bound=Saved)


class NotKept:
    """A trial of which nothing is saved: it begins at its beginning."""

    resumed_from: int | None = None  # the step that it goes on from

    def begin(self, make: Callable[[], Run]) -> Run:
        """Return a run where it was when it was cut off, or at its beginning."""
        return make()

    def stepped(self, run: Saved) -> None:
        """Hear that a step is done."""

    def reached(self, run: Saved) -> None:
        """Hear that a checkpoint is reached, before it is evaluated."""

    def reported(self, run: Saved) -> None:
        """Hear that the checkpoint has been evaluated, and whoever asked has its report."""

    def clear(self) -> None:
        """Hear that the trial has ended."""


class Kept(NotKept):
    """A trial that is saved every so many seconds of training and at its checkpoints.

    No more than SHARE of its time goes into that: a save that would cost more is left out. What
    goes wrong with a copy of a trial is said once, and is no fault of the trial.
    """

    def __init__(self, states: States, every_s: float, say: Say):
        self._states, self._every_s, self._say = states, every_s, say
        self._newest: int | None = None  # the step of the newest state
        self._spent = self._last = 0.0  # seconds, in all and of the last save
        self._told = False
        self._start()

    def begin(self, make: Callable[[], Run]) -> Run:
        run, state = make(), self._safely(self._states.newest)
        if state is not None:
            run = self._restored(run, state) or make()
        self._start()
        return run

    def stepped(self, run: Saved) -> None:
        if time.perf_counter() - self._saved >= self._every_s:
            self._save(run)

    def reached(self, run: Saved) -> None:
        self._save(run)
        self._evaluating = time.perf_counter()

    def reported(self, run: Saved) -> None:
        self._began += time.perf_counter() - self._evaluating  # which is no training
        if self._newest == run.done:
            self._safely(lambda: self._states.amend(run.done, run.plain()))

    def clear(self) -> None:
        self._safely(self._states.clear)

    def _start(self) -> None:
        self._began = self._saved = self._evaluating = time.perf_counter()

    def _restored(self, run: Run, state: State) -> Run | None:
        """Return the run as the state has it; None if that does not fit, and is removed."""
        try:
            run.restore(state)
        except (ValueError, KeyError, TypeError) as error:
            self._say(f"its state after step {state.step} does not fit ({error}): begins anew")
            self.clear()
            return None
        self.resumed_from = self._newest = state.step
        self._say(f"goes on from step {state.step}")
        return run

    def _save(self, run: Saved) -> None:
        now = time.perf_counter()
        trained = now - self._began - self._spent
        if run.done == self._newest or self._spent + self._last > SHARE * trained:
            return
        self._safely(lambda: self._write(run))
        self._saved = time.perf_counter()
        self._last = self._saved - now
        self._spent += self._last

    def _write(self, run: Saved) -> None:
        self._states.save(State(step=run.done, plain=run.plain(), tensors=run.tensors()))
        self._newest = run.done

    def _safely(self, do: Callable[[], Any]) -> Any:
        """Do it and return the result; None, and a word on it, if it cannot be done."""
        try:
            return do()
        except Exception as error:  # of a file system, or of a format that lacks a type
            if not self._told:
                self._say(f"its state cannot be kept ({error}): cut off now, it would begin anew")
            self._told = True


def keeping(trial: Trial, device: str, shelf: Shelf, say: Say) -> NotKept:
    """Return what keeps the states of a trial on a shelf; nothing if its settings say so."""
    every_s = trial.training.save_every_s
    if every_s is None:
        return NotKept()
    return Kept(States(shelf, identity(trial, device), say), every_s, say)


def identity(trial: Trial, device: str) -> dict[str, str]:
    """Return, name by name, all by which the numbers of two runs of a trial may differ."""
    threads = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
    return {
        "configuration": trial.id,
        "source": trial.code_hash,
        "protocol": protocol_hash(trial),
        "arithmetic": f"{ARITHMETIC} on {device}{threads}, torch {torch.__version__}",
        "darbench": __version__,
    }
