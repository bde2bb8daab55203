"""The model of a trial, and the weights that its trunk starts with."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

from darbench.data import Dataset, Kind
from darbench.errors import BadInput
from darbench.files import file_hash
from darbench.model.sit import SiT
from darbench.model.weights_file import load_trunk
from darbench.records.settings import Model, Training
from darbench.registry import ROUTINGS


def build_model(
    routing: str, params: dict, model: Model, dataset: Dataset | Kind, seed: int
) -> SiT:
    """Return a SiT of this configuration for a dataset; ValueError where they do not fit."""
    channels, height, width = dataset.shape
    if height != width:
        raise ValueError(f"dataset {dataset.name}: images must be square, not {height}x{width}")
    sizes = {k: v for k, v in asdict(model).items() if k != "size"}
    factory = partial(ROUTINGS.get(routing), **params)
    return SiT(
        factory, side=height, channels=channels, classes=dataset.classes, seed=seed, **sizes
    )


def start_trunk(model: SiT, training: Training) -> None:
    """Load the trunk of `training.init_from`, if there is one; the routing stays as it is.

    BadInput if the file is not of this model, or not the one that the trial was declared with.
    """
    if not training.init_from:
        return
    file = Path(training.init_from)
    if not file.is_file() or file_hash(file) != training.init_hash:
        raise BadInput(
            f"training.init_from={file}: is not there with hash {training.init_hash}, which the "
            "trial was declared with"
        )
    load_trunk(model, file)
