"""The states of a trial in progress: its last two, from which it goes on after it was cut off.

A state is two files, STEP.safetensors and, written after it, STEP.json with all that is no tensor
and a hash of both. One that was cut off in the middle has no JSON, or a hash that does not fit.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darbench.store.shelf import Shelf

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "states"  # of a leaderboard
KEPT = 2
TENSORS, PLAIN = ".safetensors", ".json"


@dataclass(frozen=True, kw_only=True)
class State:
    """All that decides how a trial goes on after a step."""

    step: int
    plain: Mapping[str, Any]  # what JSON holds
    tensors: "Mapping[str, Tensor]"


class Damaged(Exception):
    """A state whose files are not as they were written."""


class States:
    """The states of one trial on a shelf of its own.

    `identity` says of what they are, name by name; states of anything else are not gone on with.
    `say` hears of those that are passed over, a line each.
    """

    def __init__(self, shelf: Shelf, identity: Mapping[str, str], say: Callable[[str], None]):
        self._shelf, self._identity, self._say = shelf, dict(identity), say

    def newest(self) -> State | None:
        """Return the newest state that is whole; None if there is none of this identity."""
        for step in reversed(self._steps()):
            try:
                written = self._written(step)
                if other := self._other(written["identity"]):
                    self._say(f"its state after step {step} is of {other}: begins anew")
                    self._shelf.clear()
                    return None
                return self._whole(step, written)
            except Damaged as error:
                self._say(f"its state after step {step} is damaged ({error}), passed over")
                self._drop(step)
        return None

    def save(self, state: State) -> None:
        """Write a state, and remove all but the last two; OSError if it cannot be written."""
        from safetensors.torch import save_file

        with self._shelf.writing(f"{state.step}{TENSORS}") as path:
            path.touch()  # as every file of this user; that of safetensors is for no other
            mode = path.stat().st_mode
            save_file(_apart(state.tensors), path)
            path.chmod(mode)
            tensors = _hash(path)
        self._write(state.step, state.plain, tensors)
        self._prune()

    def amend(self, step: int, plain: Mapping[str, Any]) -> None:
        """Write anew what a saved state holds besides tensors; nothing if it was not saved."""
        if step in self._steps():
            self._write(step, plain, self._written(step)["tensors"])

    def clear(self) -> None:
        """Remove all states of the trial."""
        self._shelf.clear()

    def _write(self, step: int, plain: Mapping[str, Any], tensors: str) -> None:
        written = {"identity": self._identity, "plain": dict(plain), "tensors": tensors}
        with self._shelf.writing(f"{step}{PLAIN}") as path:
            path.write_text(json.dumps(written | {"hash": _sum(written)}))

    def _steps(self) -> list[int]:
        stems = [name.removesuffix(PLAIN) for name in self._shelf.names() if name.endswith(PLAIN)]
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _written(self, step: int) -> dict[str, Any]:
        """Return what the JSON of a state holds; Damaged if it is not what was written."""
        try:
            with self._shelf.reading(f"{step}{PLAIN}") as path:
                written = json.loads(path.read_text())
            if written.pop("hash") == _sum(written):
                return written
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged(f"{step}{PLAIN}: {error or type(error).__name__}") from None
        raise Damaged(f"{step}{PLAIN} is not as it was written")

    def _whole(self, step: int, written: Mapping[str, Any]) -> State:
        from safetensors.torch import load_file

        try:
            with self._shelf.reading(f"{step}{TENSORS}") as path:
                if _hash(path) != written["tensors"]:
                    raise Damaged(f"{step}{TENSORS} is not as it was written")
                tensors = load_file(path)
        except OSError as error:
            raise Damaged(f"{step}{TENSORS}: {error.strerror or error}") from None
        return State(step=step, plain=written["plain"], tensors=tensors)

    def _other(self, identity: Mapping[str, str]) -> str:
        """Say what a state is of that this trial is not; empty if it is this trial's."""
        for name in {**self._identity, **identity}:
            theirs, here = identity.get(name), self._identity.get(name)
            if theirs != here:
                return f"another {name} ({theirs}, here {here})"
        return ""

    def _prune(self) -> None:
        kept = {f"{step}{end}" for step in self._steps()[-KEPT:] for end in (TENSORS, PLAIN)}
        for name in {*self._shelf.names()} - kept:
            self._shelf.remove(name)

    def _drop(self, step: int) -> None:
        for end in (PLAIN, TENSORS):
            self._shelf.remove(f"{step}{end}")


def _apart(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The tensors on the CPU, each the whole of a memory of its own, as the format has them."""
    made, met = {}, set()
    for name, x in tensors.items():
        x = x.detach().cpu().contiguous()
        memory = x.untyped_storage()
        if memory.nbytes() != x.nbytes or memory.data_ptr() in met:
            x = x.clone()
        met.add(x.untyped_storage().data_ptr())
        made[name] = x
    return made


def _sum(written: Mapping[str, Any]) -> str:
    """Return a hash of values, among which may be NaN."""
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
