"""The noise of the device: the same trial twice, from the same seed, and how the losses differ."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from darbench.registry import signatures
from darbench.search.load import load_trial
from darbench.trial.train import train
from gpu_parts.record import Row, attempt, digits

TASK = "digits-nano"
SHORT = [
    "training.checkpoints=[0.5,1.0]",
    "evaluation.fd_from=1.0",
    "evaluation.n_gen=64",
    "evaluation.sampler=euler",
    "evaluation.sampler_steps=2",
]
STEPS = {"cuda": 100, "cpu": 4}
ROUTINGS = {
    "add": ("add", []),
    "dar dynamic full": ("dar", ["params.query=dynamic", "params.history=full"]),
}
LOSSES = ("train_loss", "val_loss")
LINES = {f"a trial of `{name}` twice, from one seed": ("small",) for name in ROUTINGS}


def rows(device: str) -> Iterator[Row]:
    for line, (routing, params) in zip(LINES, ROUTINGS.values(), strict=True):
        yield attempt(line, "small", partial(measure, routing, params, device))


def measure(routing: str, params: list[str], device: str) -> tuple[str, dict[str, Any]]:
    one, two = (losses(routing, params, device) for _ in range(2))
    worst = max(abs(a - b) / abs(a) for a, b in zip(one, two, strict=True))
    cell = "the same losses, bit by bit" if one == two else f"losses differ by {digits(worst)}"
    return cell, {"losses": [one, two], "relative_difference": worst, "steps": STEPS[device]}


def losses(routing: str, params: list[str], device: str) -> list[float]:
    """The losses of a short trial at its checkpoints."""
    overrides = [*SHORT, *params, f"training.steps={STEPS[device]}"]
    trial = load_trial(routing, TASK, overrides, 0, signatures())
    return [report.measured[name] for report in train(trial, device) for name in LOSSES]
