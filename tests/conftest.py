"""Fixtures of all tests: one thread, the interpreter of Triton, and a cache of their own."""

import os
import sys
from pathlib import Path

import pytest
import torch

from darbench import cli
from darbench.registry import ENCODERS, ROUTINGS

torch.set_num_threads(1)  # the models are tiny, and two processes share the machine

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Keep tests from reading or writing the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def own_registry(tmp_path, monkeypatch):
    """Forget what a test has registered, and the modules of its files."""
    for registry in (ROUTINGS, ENCODERS):
        monkeypatch.setattr(registry, "_made", dict(registry.items()))
    yield
    for name, module in [*sys.modules.items()]:
        if tmp_path in Path(getattr(module, "__file__", None) or "/").parents:
            del sys.modules[name]


@pytest.fixture
def run(monkeypatch, capfd, tmp_path, own_registry):
    """The command line in this process and an empty folder: (exit code, stdout, stderr).

    A command may load a file, and register what is in it.
    """
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["darbench", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, *capfd.readouterr()

    return call
