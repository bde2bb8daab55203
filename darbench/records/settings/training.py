"""The settings of training: the recipe, its budget and representation alignment."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from darbench.records.setting import (
    IF_CHANGED,
    NEVER,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE_BELOW_ONE,
    ZERO_OR_MORE,
    Rule,
    Settings,
    at_least,
    one_of,
    setting,
)

# These names repeat those in darbench.flow, for a configuration is checked without torch.
OBJECTIVES = ("velocity", "noise", "score", "data", "repa")
PATHS = ("Linear", "GVP", "VP")
WEIGHTINGS = ("none", "velocity", "likelihood")
PRECISIONS = ("float32", "bfloat16")
SCHEDULES = ("constant", "linear", "cosine")
KEPT_WEIGHTS = ("none", "last", "all")


@dataclass(frozen=True, kw_only=True)
class Repa(Settings):
    """The settings of representation alignment, for training.objective=repa."""

    SECTION = "training.repa"

    # The paper aligns after 8 of 28 blocks.
    layer: int = setting(4, at_least(1), doc="blocks before the aligned state; at most the depth")
    coefficient: float = setting(0.5, POSITIVE, doc="weight of the alignment in the loss")
    hidden: int | None = setting(
        None, at_least(1).or_null(), doc="width of the projector; twice the model's unless given"
    )
    norm: bool = setting(False, doc="normalise the state before the projector")
    encoder: str | None = setting(
        None, doc="the task's extractor unless given; `timm:NAME`, or one that is registered"
    )
    size: int | None = setting(
        None,
        at_least(1).or_null(),
        doc="side of the pictures that a timm encoder sees",
        in_identity=IF_CHANGED,
    )
    weights: str = setting("", doc="a `.safetensors` file with the weights of a timm encoder")
    # The hash of the weights file, or of a registered encoder's source.
    fingerprint: str = setting(
        "", doc="hash of the encoder; filled in when the space is resolved", in_identity=IF_CHANGED
    )

    def identity(self) -> dict[str, Any]:
        """Return the identity, in which weights are a fingerprint or else a file name."""
        values = super().identity()
        if self.fingerprint:
            del values["weights"]
            return values
        return values | {"weights": PurePath(self.weights).name}


def _increase(checkpoints: tuple[float, ...], _: Any) -> bool:
    inside = len(checkpoints) > 1 and checkpoints[0] > 0 and checkpoints[-1] == 1.0
    return inside and all(a < b for a, b in pairwise(checkpoints))


@dataclass(frozen=True, kw_only=True)
class Training(Settings):
    """The recipe of training. The budget is `steps` times the training FLOPs of a step of `add`.

    Checkpoint k is the first step whose cumulative training FLOPs reach checkpoints[k] x budget.
    """

    SECTION = "training"

    steps: int = setting(
        500,
        at_least(1),
        doc="steps of `add`: the budget is their FLOPs, and a dearer variant takes fewer",
    )
    batch: int = setting(64, at_least(1), doc="samples a step")
    # It is no part of an id: the parts' gradients sum to the batch's, up to rounding.
    micro_batch: int | None = setting(
        None,
        at_least(1).or_null(),
        doc="samples in one forward, where the batch does not fit",
        in_identity=NEVER,
    )
    lr: float = setting(1e-4, POSITIVE, doc="learning rate of AdamW")
    weight_decay: float = setting(0.0, ZERO_OR_MORE, doc="weight decay of AdamW")
    warmup: int = setting(0, ZERO_OR_MORE, doc="steps of linear warm-up")
    schedule: str = setting(
        "constant",
        one_of(*SCHEDULES),
        doc="how the rate ends: `constant`, or a `linear` or `cosine` fall to 0",
        in_identity=IF_CHANGED,
    )
    decay: float = setting(
        0.4,
        POSITIVE_SHARE,
        Rule(
            "0.4 where training.schedule is constant",
            lambda decay, s: decay == 0.4 or s.schedule != "constant",
        ),
        doc="share of the budget, its last FLOPs, over which the rate falls",
        in_identity=IF_CHANGED,
    )
    ema: float = setting(
        0.9999, SHARE_BELOW_ONE, doc="decay of the averaged weights, which are what is evaluated"
    )
    label_dropout: float = setting(
        0.1, SHARE_BELOW_ONE, doc="how often a label is replaced by none; above 0 for guidance"
    )
    objective: str = setting(
        "velocity",
        one_of(*OBJECTIVES),
        Rule(
            "repa where training.repa is set",
            lambda objective, s: objective == "repa" or s.repa == Repa(),
        ),
        doc="what the model predicts: `velocity`, `noise`, `score`, or `data` with the loss of "
        "its velocity; or `repa`, velocity with representation alignment",
        in_identity=IF_CHANGED,
    )
    path: str = setting(
        "Linear",
        one_of(*PATHS),
        doc="path between noise and data: `Linear`, `GVP` or `VP`",
        in_identity=IF_CHANGED,
    )
    weighting: str = setting(
        "none",
        one_of(*WEIGHTINGS),
        Rule(
            "none unless the objective is noise or score",
            lambda weighting, s: weighting == "none" or s.objective in ("noise", "score"),
        ),
        doc="how a noise or a score is weighted over time: `none`, `velocity` or `likelihood`",
        in_identity=IF_CHANGED,
    )
    repa: Repa = Repa()
    # Weights are float32 in either case.
    precision: str = setting(
        "float32",
        one_of(*PRECISIONS),
        doc="`float32`, or `bfloat16`: the forward under autocast; many times slower on an x86 "
        "CPU without AVX-512",
        in_identity=IF_CHANGED,
    )
    checkpoints: tuple[float, ...] = setting(
        (0.25, 0.5, 1.0),
        Rule("two or more, increasing, in (0, 1], the last 1.0", _increase),
        doc="fractions of the budget at which to measure; the last is 1.0",
    )
    init_from: str = setting(
        "",
        doc="a file of weights that the trunk starts with, as of a trained `add`; the routing is "
        "fresh",
        in_identity=NEVER,
    )
    init_hash: str = setting(
        "", doc="hash of that file; filled in when the space is resolved", in_identity=IF_CHANGED
    )
    keep_weights: str = setting(
        "none",
        one_of(*KEPT_WEIGHTS),
        doc="which averaged weights to keep in a file: `none`, the `last` or `all` checkpoints'",
        in_identity=NEVER,
    )
    save_every_s: float | None = setting(
        300.0,
        POSITIVE.or_null(),
        doc="seconds after which a trial's state is saved, to go on from if it is cut off, as "
        "at its checkpoints; null saves none",
        in_identity=NEVER,
    )
    save_to: str = setting(
        "",
        doc="folder, or URL that fsspec knows, of these states; without it beside the results",
        in_identity=NEVER,
    )
    timeout_s: float = setting(
        3600.0,
        POSITIVE,
        Rule("at most 1e9", lambda seconds, _: seconds <= 1e9),  # a timer takes no more
        doc="wall-clock limit of an attempt at a trial",
        in_identity=NEVER,
    )

    def identity(self) -> dict[str, Any]:
        values = super().identity()
        if self.objective != "repa":
            del values["repa"]
        return values

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> "Training":
        return cls(**dict(d, checkpoints=tuple(d["checkpoints"]), repa=Repa(**d["repa"])))
