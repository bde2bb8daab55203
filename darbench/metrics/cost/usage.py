"""Time and memory that training uses: step times and peak memory."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch


@dataclass
class StepTimer:
    """The time of each step, in all and of its own.

    Its own is what other work does not lengthen: on the CPU the processor time of this thread, on
    CUDA the device's, which is both there, by events (no synchronisation).
    """

    device: str
    _marks: list = field(default_factory=list)

    def mark(self) -> None:
        """Take the time now: the end of one step and the start of the next."""
        if self.device == "cpu":
            self._marks.append((time.perf_counter(), time.thread_time()))
        else:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)

    @property
    def stopped(self) -> bool:
        """Whether no step has begun since the last restart."""
        return not self._marks

    def restart(self) -> list[tuple[float, float]]:
        """Forget the marks so far; returns the milliseconds between them, in all and own."""
        pairs = list(zip(self._marks, self._marks[1:], strict=False))
        if self.device != "cpu":
            torch.cuda.synchronize()
            times = [(a.elapsed_time(b),) * 2 for a, b in pairs]
        else:
            times = [tuple(1e3 * (y - x) for x, y in zip(*pair, strict=True)) for pair in pairs]
        self._marks = []
        return times


def percentiles(times: list[tuple[float, float]]) -> dict[str, float]:
    """Median and 95th percentile of step times in ms, in all and own, as columns of a row."""
    (p50, own), (p95, _) = np.percentile(times, [50, 95], axis=0)
    return {"step_ms_p50": float(p50), "step_ms_p95": float(p95), "step_own_ms_p50": float(own)}


@dataclass
class PeakMemory:
    """The highest number of bytes in use since it was made, but for what is left out."""

    device: str
    _highest: int = 0

    def __post_init__(self):
        reset_peak_memory(self.device)

    def read(self) -> int:
        self._highest = max(self._highest, peak_memory(self.device))
        return self._highest

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Do not count what is done within the context."""
        self.read()
        yield
        reset_peak_memory(self.device)


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
    """Highest number of bytes since the reset: allocated on CUDA; on the CPU, resident in the
    whole process."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated()
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
