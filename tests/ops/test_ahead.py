"""The trunk's kernels, compiled ahead by a process of its own."""

import subprocess
import sys

import pytest

from darbench.ops import ahead
from darbench.ops.kept import cache_folder, kept


def test_nothing_is_started_where_the_kernels_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not kept(ahead.LAST)
    cache_folder().mkdir()
    (cache_folder() / f"{ahead.LAST}-12.py311.nbi").touch()
    with ahead.compiling() as process:
        assert kept(ahead.LAST) and process is None


def test_a_process_compiles_and_is_gone_when_the_sweep_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with ahead.compiling() as process:
        assert process.poll() is None
    assert process.returncode is not None


@pytest.mark.slow
def test_what_is_compiled_are_the_kernels_of_narrow_sublayers(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    subprocess.run([sys.executable, "-m", "darbench.ops.ahead"], check=True)
    assert cache_folder().parent == tmp_path
    assert kept(ahead.LAST) and kept("mlp._mlp_backward")
