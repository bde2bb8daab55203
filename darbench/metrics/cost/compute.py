"""What training costs: FLOPs by count and formula, step times, peak memory."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from darbench.model.sit import SiT


def step_flops(build: Callable[[], SiT], batch: int, shape: tuple[int, int, int]) -> float:
    """Training FLOPs of one optimiser step, 2 per multiply-add, forward and backward.

    Matrix multiplications and attention are counted by torch's FlopCounterMode on the meta device
    (on the CPU it counts no attention); the routing adds its formula for the rest, whose backward
    is taken as twice the forward. The trunk's own element-wise work, the same for every routing,
    the optimiser and the EMA are not counted. shape: (C, H, W).
    """
    with torch.device("meta"):
        model = build()
        x = torch.empty(batch, *shape)
        t, label = torch.empty(batch), torch.zeros(batch, dtype=torch.long)
        with FlopCounterMode(display=False) as counter:
            model(x, t, label).sum().backward()
    tokens = model.pos_embed.shape[1]
    elementwise = 3 * batch * model.routing.elementwise_flops(tokens)
    return float(counter.get_total_flops() + elementwise)


@dataclass
class StepTimer:
    """Wall time of each step: the host clock on the CPU, events on CUDA (no synchronisation)."""

    device: str
    _marks: list = field(default_factory=list)

    def mark(self) -> None:
        if self.device == "cpu":
            self._marks.append(time.perf_counter())
        else:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)

    def restart(self) -> list[float]:
        """Milliseconds between the marks so far, which are forgotten."""
        pairs = list(zip(self._marks, self._marks[1:], strict=False))
        if self.device != "cpu":
            torch.cuda.synchronize()
            times = [a.elapsed_time(b) for a, b in pairs]
        else:
            times = [1e3 * (b - a) for a, b in pairs]
        self._marks = []
        return times


def percentiles(times: list[float]) -> dict[str, float]:
    """Of step times in ms."""
    p50, p95 = np.percentile(times, [50, 95])
    return {"step_ms_p50": float(p50), "step_ms_p95": float(p95)}


def reset_peak_memory(device: str) -> None:
    """Start a new measurement; on the CPU by Linux' reset of the resident high-water mark."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # not Linux, or not allowed: the mark stays that of the process's whole life


def peak_memory(device: str) -> int:
    """Bytes: allocated on the CUDA device, or resident in the whole process on the CPU."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated()
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
