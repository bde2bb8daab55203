from pathlib import Path
from queue import SimpleQueue

import pytest
import scipy.linalg  # noqa: F401  loads a BLAS
import torch
from threadpoolctl import threadpool_info

from darbench.arithmetic import ARITHMETIC, plain_arithmetic
from darbench.data import encode
from darbench.records.canonical import content_hash
from darbench.registry import ROUTINGS
from darbench.registry.source import PACKAGE, used_modules
from darbench.registry.syntax import code_of


def state():
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return torch.get_num_threads(), blas, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def many():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_trial_on_the_cpu_has_one_thread_and_what_was_set_before_comes_back():
    before = state()
    with plain_arithmetic("cpu"):
        threads, blas, _ = state()
        assert {threads, *blas} == {1} and blas
    assert state() == before and before[0] == 2


def test_a_trial_on_a_gpu_is_in_float32_and_what_was_set_before_comes_back():
    before = state()
    with plain_arithmetic("cuda"):
        assert state() == (*before[:2], False)
    assert state() == before and before[2]


def test_a_process_that_encodes_latents_is_in_float32_too(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(encode, "_encoder", None, raising=False)
    devices = SimpleQueue()
    devices.put("cuda")
    encode._start(None, devices)
    assert torch.get_num_threads() == 1 and not torch.backends.cudnn.allow_tf32


# The kernels' version

# ARITHMETIC: hash of the code of the kernels that have it.
KERNELS = {1: "4fd0ddb7a4885f2f", 2: "335cf2622733cda8"}


def kernels() -> list[Path]:
    """The files of darbench.ops but for the definitions, which source hashes cover."""
    texts = [Path(ROUTINGS.file_of(name)).read_text() for name in ROUTINGS.names()]
    defined = {module for text in texts for module in used_modules(text)}
    ops = {
        ".".join(["darbench", *path.relative_to(PACKAGE).with_suffix("").parts]): path
        for path in (PACKAGE / "ops").rglob("*.py")
    }
    assert len(ops.keys() & defined) > 3
    return [ops[module] for module in sorted(ops.keys() - defined)]


def test_kernels_whose_code_changed_have_another_version():
    found = content_hash([code_of(path.read_text()) for path in kernels()])
    assert found == KERNELS.get(ARITHMETIC), (
        "the code of the kernels changed: raise ARITHMETIC in darbench/arithmetic.py if any bit "
        f"of what they compute moved, and record here: {{{ARITHMETIC}: {found!r}}}"
    )
