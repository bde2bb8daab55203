"""Small models, routings and inputs that the tests share, and the settings they loop over."""

from functools import partial

import torch

from darbench.model.sit import SiT
from darbench.model.sizes import resolve
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.records.trial import Trial, Variant
from darbench.registry import ROUTINGS
from darbench.routing.base import Routing
from darbench.testing.inputs import conditions, images, outputs, randomise, randomise_trunk, reads

__all__ = [
    "DIGITS",
    "SETTINGS",
    "TINY",
    "conditions",
    "images",
    "name_of",
    "outputs",
    "randomise",
    "randomise_trunk",
    "reads",
    "routing_of",
    "sit",
    "tiny",
]

torch.set_num_threads(1)  # the models are tiny, and the order of sums does not vary

DIGITS = Task(name="digits-nano", data="digits", extractor="digits-cnn", rank_by="val_loss")
TINY = resolve(Model(depth=2))

# Every built-in routing in every setting that takes another path through its code.
SETTINGS: list[tuple[str, dict]] = [
    (name, params)
    for name, cls in ROUTINGS.items()
    if cls.__module__.startswith("darbench.routing.")
    for params in cls.settings
]


def name_of(setting: tuple[str, dict]) -> str:
    name, params = setting
    return "-".join([name, *map(str, params.values())])


def routing_of(setting: tuple[str, dict], sites: int = 8, width: int = 16) -> Routing:
    name, params = setting
    return ROUTINGS.get(name)(sites, width, **params)


def sit(setting: tuple[str, dict] = ("add", {}), **changes) -> SiT:
    """A SiT of 4 blocks, 16 tokens and width 16 for 8 x 8 images; `changes` to its arguments."""
    sizes = {
        "depth": 4,
        "width": 16,
        "heads": 2,
        "patch": 2,
        "side": 8,
        "channels": 3,
        "classes": 5,
    }
    name, params = setting
    return SiT(partial(ROUTINGS.get(name), **params), **sizes | changes)


def tiny(routing="add", *, model=TINY, pair_id=0, params=None, **changes):
    """A trial of three steps with a small model."""
    training = {"steps": 3, "batch": 8, "lr": 6e-3, "ema": 0.5, "checkpoints": (0.5, 1.0)}
    evaluation = {"n_gen": 64, "sampler_steps": 2, "val_draws": 1, "grid": 10, "fd_from": 1.0}
    of_training = {k: v for k, v in changes.items() if k in Training.__dataclass_fields__}
    of_evaluation = {k: v for k, v in changes.items() if k in Evaluation.__dataclass_fields__}
    assert len(of_training) + len(of_evaluation) == len(changes)
    return Trial(
        task=DIGITS,
        model=model,
        pair_id=pair_id,
        training=Training(**training | of_training),
        evaluation=Evaluation(**evaluation | of_evaluation),
        variant=Variant(routing=routing, params=params or {}),
    )
