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
    ("add", {}),
    ("denseformer", {}),
    ("denseformer", {"period": 2}),
    ("denseformer", {"dilation": 2}),
    ("hyper", {"dynamic": False, "streams": 1}),
    ("hyper", {"dynamic": False, "streams": 2}),
    ("hyper", {"dynamic": True, "streams": 4}),
    ("hyper", {"dynamic": True, "streams": 2, "tanh": False}),
    ("dar", {"query": "static"}),
    ("dar", {"query": "static_t"}),
    ("dar", {"query": "static_t", "t_source": "reuse"}),
    ("dar", {"query": "static_t", "t_source": "reuse", "history": "full"}),
    ("dar", {"query": "dynamic"}),
    ("dar", {"query": "static", "history": "full"}),
    ("dar", {"query": "static_t", "history": "full"}),
    ("dar", {"query": "dynamic", "history": "full"}),
    ("dar", {"query": "static", "span": 1}),
    ("dar", {"query": "static_t", "span": 8}),
    ("dar", {"query": "static_t", "history": "chunk_sum"}),
    ("dar", {"query": "dynamic", "history": "chunk_sum", "span": 3}),
    ("dar", {"query": "static_t", "history": "window"}),
    ("dar", {"query": "static", "history": "window", "span": 8}),
    ("dar", {"query": "static_t", "t_source": "bins", "history": "full"}),
    ("dar", {"query": "static_t", "t_source": "fourier", "history": "chunk_sum_raw"}),
    ("dar", {"query": "static_t", "t_source": "film", "history": "dilated", "span": 2}),
    ("dar", {"query": "static_t", "t_source": "label", "history": "log"}),
    ("dar", {"query": "dynamic", "final": "reuse_last", "heads": 4}),
    ("dar", {"query": "static", "gain": False, "scale": "none", "history": "full"}),
    ("dar", {"query": "static_t", "value_gate": False}),
    ("hyper", {"res": "identity"}),
    ("hyper", {"res": "identity", "dynamic": False, "streams": 2}),
    ("attnres", {}),
    ("attnres", {"form": "block", "span": 3, "heads": 4}),
    ("delta_attnres", {}),
    ("delta_attnres", {"form": "block", "null": True}),
    ("deepnorm", {}),
    ("highway", {}),
    ("highway", {"form": "full"}),
    ("layerscale", {}),
    ("layerscale", {"init": 0.1, "one_plus": True}),
    ("mgr", {"streams": 3}),
    ("mhc", {"p_std": 0.0}),
    ("mhc", {"streams": 2, "off": -2.0}),
    ("mhc", {"streams": 3, "form": "permutations", "off": -2.0}),
    ("mudd", {}),
    ("mvsplit", {}),
    ("rezero", {}),
    ("rezero", {"share": "sublayer"}),
    ("siamese", {}),
    ("static_scalars", {}),
    ("unet", {}),
    ("unet", {"init": "xavier", "skip_norm": True}),
    ("unet", {"init": "identity", "skip_norm": True}),
    ("unet", {"fusion": "add", "pairs": "outer"}),
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
