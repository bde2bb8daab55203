"""The limits that the control groups of this process set to memory and cores.

In a container or a batch job /proc describes the whole machine, while the group is limited. The
groups above limit it too, so all are read, in both versions:
https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/. `root` is the root of the
file system.
"""

import math
from collections.abc import Iterator
from pathlib import Path

SYSTEM = Path("/")
MEMORY = (  # limit, used memory, and the part of it that caches files, which is freed first
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def memory_left(root: Path = SYSTEM) -> float:
    """Return the bytes that may still be used; without a limit, infinitely or very many."""
    return min(map(_memory_left, _groups(root)), default=math.inf)


def cores(root: Path = SYSTEM) -> float:
    """Return the core seconds that may be used in a second; infinite without a limit."""
    return min(map(_cores, _groups(root)), default=math.inf)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the process's groups and of those above.

    Some do not exist, for a container may read the host's names and see its own group at the top.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        for controller in controllers.split(","):  # version 2 names none
            top = root / "sys/fs/cgroup" / controller
            group = top / name.lstrip("/")
            yield from (g for g in (group, *group.parents) if g.is_relative_to(top))


def _memory_left(group: Path) -> float:
    for limit, used, cache in MEMORY:
        most = _text(group / limit).strip()
        if most.isdigit():  # version 2 says max for no limit
            stat = dict(line.split() for line in _text(group / "memory.stat").splitlines())
            return max(0, int(most) - int(_text(group / used)) + int(stat[cache]))
    return math.inf


def _cores(group: Path) -> float:
    older = (_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    quota, period = (_text(group / "cpu.max") or " ".join(older)).split() or ("max", "")
    return int(quota) / int(period) if quota.isdigit() else math.inf  # version 1 says -1


def _text(path: Path) -> str:
    """The text of a file, empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
