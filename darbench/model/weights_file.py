"""Files of weights: darbench's own, and those of the official SiT and REPA."""

import argparse
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from darbench.errors import BadInput
from darbench.model.official import OURS, fitting, load_official, unwrapped
from darbench.model.sit import SiT

PROJECTORS = "projectors."  # REPA trains them beside the model, which never calls them


def load_weights(model: SiT, file: Path) -> list[str]:
    """Load a file of weights into a model; returns what is to be known of it, in words.

    A `.safetensors` file, or one of torch.save: a state dict or a training checkpoint, of which
    the average is taken. One without the routing's parameters leaves those as they are.
    BadInput if it cannot be read, or is not of this model.
    """
    state, notes = _weights(file)
    with _told_of(file):
        if any(key.startswith(OURS) for key in state):
            model.load_state_dict(state)
        elif fresh := load_official(model, state):
            notes.append(f"the file lacks {len(fresh)} tensors of the routing, which are initial")
    return notes


def load_trunk(model: SiT, file: Path) -> None:
    """Load all but the routing and the skip, which stay as they are, whatever the file has.

    Files and errors are those of `load_weights`.
    """
    with _told_of(file):
        load_official(model, _trunk(file))


def check_trunk(model: SiT, file: Path) -> None:
    """Raise BadInput if `load_trunk` would; the model may be on the meta device."""
    with _told_of(file):
        fitting(model, _trunk(file))


def _trunk(file: Path) -> dict[str, Any]:
    return {key: x for key, x in _weights(file)[0].items() if not key.startswith(OURS)}


def _weights(file: Path) -> tuple[dict[str, Any], list[str]]:
    """The model's state in a file, and notes on what was left out of it."""
    state = unwrapped(_read(file))
    beside = sorted(key for key in state if key.startswith(PROJECTORS))
    state = {key: value for key, value in state.items() if key not in beside}
    if not beside:
        return state, []
    return state, [f"left out REPA's projectors, {len(beside)} tensors from {beside[0]} on"]


@contextmanager
def _told_of(file: Path) -> Iterator[None]:
    """Say of which file it is that does not fit."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise BadInput(f"{file}: {' '.join(str(error).split())}") from None


def _read(file: Path) -> Mapping[str, Any]:
    """The content of a file; of a pickle only tensors, plain values and argparse.Namespace."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        with torch.serialization.safe_globals([argparse.Namespace]):
            saved = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file") from None
    except (OSError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"{file}: no weights that can be read safely: {first}") from None
    if not isinstance(saved, Mapping):
        raise BadInput(f"{file}: holds a {type(saved).__name__}, no state dict")
    return saved
