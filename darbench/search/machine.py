"""The limits of this machine: its devices, and how many trials fit at a time."""

import os
from pathlib import Path

from darbench.errors import BadInput
from darbench.search import cgroup

# What Ray itself holds, with the code that workers share, and what a worker holds by itself
# at the peak of a trial: benchmarks/memory.py measures both at digits-nano.
RAY_BYTES, WORKER_BYTES = 0.7e9, 0.9e9


def device(asked: str) -> str:
    """Return cpu or cuda; auto is cuda where there is one. BadInput if it is not here."""
    if asked not in ("auto", "cpu", "cuda"):
        raise BadInput(f"--device {asked}: must be auto, cpu or cuda")
    import torch  # which a dry run, that counts cores alone, does not need

    if asked == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda: torch sees no CUDA device here; use --device cpu")
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return asked


def units(device: str) -> list[str]:
    """Return the devices that can work at the same time: all GPUs, or cpu for every core."""
    if device == "cuda":
        import torch

        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu"] * cores()


def workers(asked: int | None, device: str) -> tuple[int, str]:
    """Return the number of trials at a time, and a note if memory limits it."""
    most = len(units(device))
    if asked is not None and asked < 1:
        raise BadInput(f"--workers {asked}: must be at least 1")
    if asked is not None and asked > most:
        what = "GPUs" if device == "cuda" else "cores"
        raise BadInput(f"--workers {asked}: this machine has {most} {what}")
    wanted = asked or most
    free = free_bytes()
    fits = wanted if free is None else max(0, int((free - RAY_BYTES) / WORKER_BYTES))
    if fits >= wanted:
        return wanted, ""
    if asked is not None or fits == 0:
        need = RAY_BYTES + WORKER_BYTES * (asked or 1)
        raise BadInput(
            f"{asked or 1} workers need about {need / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} GB are free"
        )
    return fits, f"{fits} workers instead of {wanted}: {free / 1e9:.1f} GB of memory are free"


def cores(root: Path = cgroup.SYSTEM) -> int:
    """Return how many whole cores this process may use, at least one."""
    return max(1, int(min(len(os.sched_getaffinity(0)), cgroup.cores(root))))


def free_bytes(root: Path = cgroup.SYSTEM) -> float | None:
    """Return the memory that this process may still use; None where it is unknown."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    free = 1024 * next(int(x.split()[1]) for x in lines if x.startswith("MemAvailable"))
    return min(free, cgroup.memory_left(root))
