"""Search spaces for the tests: YAML files as a user would write them, and rows made up."""

from pathlib import Path
from textwrap import dedent

import torch

from darbench import registry
from darbench.records.schema import make_row
from darbench.records.trial import Trial
from darbench.search.load import load_space
from darbench.search.space import SearchSpace
from darbench.search.worker import failure

torch.set_num_threads(1)  # the models are tiny, and the order of sums does not vary
HEAD = "defaults: [{darbench: sweep}, {task: digits-nano}, _self_]\n"
TINY = """
model: {depth: 2, width: 8, heads: 2}
training: {steps: 3, batch: 8, checkpoints: [0.5, 1.0]}
evaluation: {n_gen: 72, sampler: euler, sampler_steps: 1, val_draws: 1, grid: 12, fd_from: 0.5}
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    """A search space file of this text below the usual defaults; its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + dedent(text), encoding="utf-8")
    return str(path)


def load(folder: Path, text: str, *overrides: str) -> SearchSpace:
    return load_space(write(folder, text), overrides, registry.signatures())


def tiny_trial(folder: Path, *overrides: str) -> Trial:
    """A trial of `add` that takes a fraction of a second."""
    space = load(folder, "variants: [{routing: add}]\n" + TINY, *overrides)
    return space.trial(next(space.grid()), 0, "confirm")


def row_of(trial, value: float | None = 0.5, *, status: str = "ok", created: str = "2031-01-01"):
    """The last row of a trial that reached this value, or failed."""
    report = failure(status, 1, "made up")
    measured = {**report.measured, "val_loss": value, "fd": value, "step": 1, "final": True}
    if status == "ok":
        measured["error"] = None
    where = {"created_utc": created}
    return make_row(
        trial,
        report.__class__(step=1, final=True, measured=measured),
        where,
        leaderboard="mine",
        attempt=1,
    )
