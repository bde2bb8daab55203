"""A rehearsal: what a user's file registers is built and run once, as soon as it is loaded.

What it reads there is part of its source, and reaches the workers; what it opens first after that
is refused.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from darbench.arithmetic import plain_arithmetic
from darbench.errors import BadInput
from darbench.registry import ENCODERS, ROUTINGS
from darbench.registry.bundle import BUNDLES, Bundle, bundle_of
from darbench.registry.files import is_interruption, line_of, load_file, said
from darbench.registry.imports import lies_beside
from darbench.registry.syntax import FACTS
from darbench.state.generators import borrowed
from darbench.state.held import held_by, held_by_code
from darbench.testing.inputs import outputs, reads
from darbench.testing.subject import Subject
from darbench.trial.encoders import load_encoder

Values = Mapping[str, object]  # fingerprints by name


def load_rehearsed(path: str | Path) -> list[str]:
    """Load a user's file, as `load_file` does, and run once what it registers.

    BadInput also if that ends the program; other exceptions are left for those who want to use
    what raises them.
    """
    with plain_arithmetic("cpu"):
        names = load_file(path)
        bundle = [*BUNDLES.values()][-1]
        for registry, run in ((ROUTINGS, _run_routing), (ENCODERS, _run_encoder)):
            for name, made in registry.items():
                if bundle_of(made) is bundle:
                    ran = _attempt(partial(run, name), bundle)
                    code = _attempt(partial(held_by_code, made), bundle)
                    bundle.values[made] = _hashed({**code, **ran})
    bundle.closed = True
    return names


def _attempt(run: Callable[[], Values], bundle: Bundle) -> Values:
    """Return the values that a run leaves; none if that fails."""
    try:
        with borrowed(0), _uncompiled():
            return run()
    except ModuleNotFoundError as error:
        if lies_beside(bundle, error.name or ""):
            raise BadInput(
                f"{line_of(error, bundle.path)}: {error.name} lies beside the file, where "
                f"importlib looks only while that is loaded; write `import {error.name}`"
            ) from None
        return {}
    except Exception:
        return {}
    except BaseException as error:
        if is_interruption(error):
            raise
        raise BadInput(said(error, bundle.path)) from error


def _hashed(values: Values) -> dict[str, str]:
    """Return the hashes of values by name, without those that a routing does not compute with."""
    counting = {n: v for n, v in values.items() if n.rpartition(".")[2] not in FACTS}
    return {n: hashlib.sha256(repr(v).encode()).hexdigest()[:16] for n, v in counting.items()}


def _uncompiled() -> AbstractContextManager:
    """A context without compilation, if something may be compiled."""
    there = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if there else nullcontext()


def _run_routing(name: str) -> Values:
    """Run a routing with its defaults on the CPU, in training and in evaluation."""
    subject, read = Subject(ROUTINGS.get(name)), {}
    for training in (True, False):
        routing = subject.fresh().train(training)
        read[f"what it reads, {training=}"] = _sizes(reads(routing, outputs(dtype=torch.float32)))
    return held_by(routing) | read


def _run_encoder(name: str) -> Values:
    encoder, given = load_encoder(name), {}
    for channels in (1, 3):
        with torch.no_grad(), suppress(Exception):
            given[f"features, {channels=}"] = _sizes([encoder(torch.zeros(1, channels, 32, 32))])
    return (held_by(encoder) if isinstance(encoder, nn.Module) else {}) | given


def _sizes(tensors: Iterable[Tensor]) -> list[str]:
    """Mean sizes, without the digits in which processors differ."""
    return [f"{tensor.detach().double().abs().mean():.4g}" for tensor in tensors]
