"""Weights that come with darbench: NAME.safetensors, and NAME.json about their training."""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load
from torch import nn

WEIGHTS = Path(__file__).parent / "weights"

Net = TypeVar("Net", bound=nn.Module)


def read_record(name: str, folder: Path = WEIGHTS) -> dict:
    """What the training run wrote about the weights; it holds their sha256."""
    return json.loads((folder / f"{name}.json").read_text())


def load_weights(net: Net, name: str, folder: Path = WEIGHTS) -> Net:
    """The network with its weights, in evaluation mode.

    ValueError if the weights are not the recorded ones.
    """
    path = folder / f"{name}.safetensors"
    data = path.read_bytes()
    sha256, expected = hashlib.sha256(data).hexdigest(), read_record(name, folder)["sha256"]
    if sha256 != expected:
        raise ValueError(
            f"{path} has sha256 {sha256}, its record {name}.json says {expected}; "
            "restore both files from the same release of darbench"
        )
    net.load_state_dict(load(data))
    return net.eval().requires_grad_(False)
