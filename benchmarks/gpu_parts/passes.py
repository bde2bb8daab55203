"""Time and memory of forward and backward, of several forms of one operation in turns."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from darbench.metrics.cost.usage import StepTimer, peak_memory, reset_peak_memory

Form = Callable[..., tuple[Tensor, ...]]  # leaves -> outputs

WARM_UP = 2  # rounds: they compile, and let the allocator find its blocks


@dataclass
class Passes:
    """Forward and backward of one form: milliseconds of each round, and peak bytes."""

    times: list[list[float]] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def ms(self) -> list[float]:
        return [statistics.median(t) for t in zip(*self.times, strict=True)]

    def times_of(self, ours: "Passes") -> list[float]:
        """How many times as long as ours it takes: medians of the ratios within rounds."""
        rounds = list(zip(self.times, ours.times, strict=True))
        return [statistics.median(a[i] / b[i] for a, b in rounds) for i in (0, 1)]

    def figures(self) -> dict[str, Any]:
        return {"ms": self.ms, "peak_bytes": self.peaks, "rounds_ms": self.times}


def in_turns(
    forms: Mapping[str, Form], leaves: Sequence[Tensor], device: str, repeats: int
) -> dict[str, Passes]:
    """Run all forms on the same leaves, A B C A B C ..., forward and backward."""
    found = {name: Passes() for name in forms}
    gradients = [torch.ones_like(x) for x in next(iter(forms.values()))(*leaves)]
    for round_ in range(WARM_UP + repeats):
        for name, form in forms.items():
            times, found[name].peaks = _once(form, leaves, gradients, device)
            if round_ >= WARM_UP:
                found[name].times.append(times)
    return found


def _once(
    form: Form, leaves: Sequence[Tensor], gradients: Sequence[Tensor], device: str
) -> tuple[list[float], list[int]]:
    """Milliseconds, and peak bytes above what was there, of the forward and of the backward."""
    held = torch.cuda.memory_allocated() if device == "cuda" else 0
    timer = StepTimer(device)
    reset_peak_memory(device)
    timer.mark()
    outputs = form(*leaves)
    timer.mark()
    peaks = [peak_memory(device) - held]  # the host's books: the device need not be through
    reset_peak_memory(device)
    torch.autograd.grad(outputs, leaves, gradients)
    timer.mark()
    return [wall for wall, _ in timer.restart()], [*peaks, peak_memory(device) - held]
