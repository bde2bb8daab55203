"""The limits of a container or a batch job, from files as the kernel writes them."""

import os

import pytest

from darbench.errors import BadInput
from darbench.search import machine

GB = 10**9


@pytest.fixture
def system(tmp_path):
    """A machine with 64 GB free; `system({file: text})` adds files."""

    def add(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    add({"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {64 * GB // 1024} kB"})
    return add


def version_2(group, memory="max", cpu="max 100000"):
    folder = f"sys/fs/cgroup/{group}"
    return {
        f"{folder}/memory.max": memory,
        f"{folder}/memory.current": 3 * GB,
        f"{folder}/memory.stat": f"anon {2 * GB}\ninactive_file {GB}",
        f"{folder}/cpu.max": cpu,
    }


def version_1(group, memory=2**63 - 4096, quota=-1):
    return {
        f"sys/fs/cgroup/memory/{group}/memory.limit_in_bytes": memory,
        f"sys/fs/cgroup/memory/{group}/memory.usage_in_bytes": 3 * GB,
        f"sys/fs/cgroup/memory/{group}/memory.stat": f"inactive_file 7\ntotal_inactive_file {GB}",
        f"sys/fs/cgroup/cpu/{group}/cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/cpu/{group}/cpu.cfs_period_us": 100000,
    }


V1 = "5:cpu,cpuacct:/docker/a1\n4:memory:/docker/a1\n1:name=systemd:/docker/a1\n0::/"


def free(root):
    return round(machine.free_bytes(root) / GB)


def test_without_limits_the_machine_is_what_there_is(system):
    cores = len(os.sched_getaffinity(0))
    assert (free(system({})), machine.cores(system({}))) == (64, cores)
    root = system({"proc/self/cgroup": "0::/job"} | version_2("job"))
    assert (free(root), machine.cores(root)) == (64, cores)
    root = system({"proc/self/cgroup": V1} | version_1("docker/a1"))
    assert (free(root), machine.cores(root)) == (64, cores)


def test_a_container_is_held_to_its_group(system):
    root = system({"proc/self/cgroup": "0::/"} | version_2("", 10 * GB, "150000 100000"))
    assert (free(root), machine.cores(root)) == (8, 1)  # of 10 GB, 3 are used, 1 of them as cache


def test_a_group_is_held_by_those_above(system):
    root = system(
        {"proc/self/cgroup": "0::/slurm/job/task"}
        | version_2("slurm/job/task")
        | version_2("slurm/job", 20 * GB)
        | version_2("slurm", 40 * GB, "50000 100000")
    )
    assert (free(root), machine.cores(root)) == (18, 1)


@pytest.mark.parametrize("seen", ["docker/a1", ""])  # by its name on the host, or as the topmost
def test_version_1_is_known_too(system, seen):
    root = system({"proc/self/cgroup": V1} | version_1(seen, 10 * GB, 100000))
    assert (free(root), machine.cores(root)) == (8, 1)


def test_the_machine_may_have_less_than_the_group_allows(system):
    root = system({"proc/self/cgroup": "0::/"} | version_2("", 500 * GB, "99900000 100000"))
    assert (free(root), machine.cores(root)) == (64, len(os.sched_getaffinity(0)))


def test_a_group_that_is_full_leaves_no_memory_to_work_with(system, monkeypatch):
    root = system({"proc/self/cgroup": "0::/"} | version_2("", GB))
    left = machine.free_bytes(root)
    assert left == 0
    monkeypatch.setattr(machine, "free_bytes", lambda: left)
    with pytest.raises(BadInput, match=r"1 workers need about 1.6 GB of memory, 0.0 GB are free"):
        machine.workers(None, "cpu")


def test_where_memory_cannot_be_told_nothing_is_said(tmp_path):
    assert machine.free_bytes(tmp_path) is None
