"""A rehearsal: what a user's file registers is built and run once, as soon as it is loaded.

What it reads there is part of its source, and reaches the workers; what it opens first after that
is refused.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import torch

from darbench.errors import BadInput
from darbench.registry import ENCODERS, ROUTINGS
from darbench.registry.bundle import BUNDLES, bundle_of
from darbench.registry.files import is_interruption, load_file, said
from darbench.testing.inputs import outputs, reads
from darbench.testing.subject import Subject
from darbench.trial.encoders import load_encoder


def load_rehearsed(path: str | Path) -> list[str]:
    """Load a user's file, as `load_file` does, and run once what it registers.

    BadInput also if that ends the program; other exceptions are left for those who want to use
    what raises them.
    """
    names = load_file(path)
    bundle = [*BUNDLES.values()][-1]
    for registry, run in ((ROUTINGS, _run_routing), (ENCODERS, _run_encoder)):
        for name, made in registry.items():
            if bundle_of(made) is bundle:
                _attempt(lambda run=run, name=name: run(name), bundle.path)
    bundle.closed = True
    return names


def _attempt(run: Callable[[], None], path: Path) -> None:
    try:
        with torch.random.fork_rng(devices=[]), _uncompiled():
            run()
    except Exception:
        return
    except BaseException as error:
        if is_interruption(error):
            raise
        raise BadInput(said(error, path)) from error


def _uncompiled() -> AbstractContextManager:
    """A context without compilation, if something may be compiled."""
    there = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if there else nullcontext()


def _run_routing(name: str) -> None:
    """Run a routing with its defaults on the CPU, in training and in evaluation."""
    subject = Subject(ROUTINGS.get(name))
    for training in (True, False):
        reads(subject.fresh().train(training), outputs(dtype=torch.float32))


def _run_encoder(name: str) -> None:
    encoder = load_encoder(name)
    for channels in (1, 3):
        with torch.no_grad(), suppress(Exception):
            encoder(torch.zeros(1, channels, 32, 32))
