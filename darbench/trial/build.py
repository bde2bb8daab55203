"""The function that builds the model of a trial."""

from dataclasses import asdict
from functools import partial

from darbench.data import Dataset, Kind
from darbench.model.sit import SiT
from darbench.records.settings import Model
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
