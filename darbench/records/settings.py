"""The settings of a trial: task, model, recipe, evaluation, each field with its rule and its doc.

Frozen keyword-only dataclasses of plain values, so that a configuration is checked without torch.
docs/settings.py writes docs/settings.md from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from darbench.records.metric import COMPARED
from darbench.records.setting import (
    IF_CHANGED,
    NEVER,
    POSITIVE,
    POSITIVE_SHARE,
    PROPER_SHARE,
    SHARE,
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
SKIPS = ("none", "time")
GATES = ("adaln", "one_plus", "none")
WEIGHTINGS = ("none", "velocity", "likelihood")
PRECISIONS = ("float32", "bfloat16")
SCHEDULES = ("constant", "linear", "cosine")
KEPT_WEIGHTS = ("none", "last", "all")
ODE_SAMPLERS = ("euler", "heun", "adaptive")
SDE_SAMPLERS = ("euler_maruyama", "heun_sde")
DIFFUSIONS = ("constant", "SBDM", "sigma", "linear", "decreasing", "increasing-decreasing")
LAST_STEPS = ("Mean", "Tweedie", "Euler", "none")


@dataclass(frozen=True, kw_only=True)
class Task(Settings):
    """The data to learn and how a model is judged: the same for all variants of a comparison."""

    SECTION = "task"

    name: str = setting("???", doc="what it is called; required")
    version: int = setting(1, doc="part of every id: results of two versions do not mix")
    data: str = setting(
        "???",
        doc="`digits`; `shapes` or `photos`, of 16 x 16, or with `-8` or `-32`; `fashion-mnist`, "
        "`cifar10`, `latents`, or `image_folder_N` with N of 32, 64, 128, 256",
    )
    data_path: str = setting("", doc="folder of data that do not ship", in_identity=NEVER)
    fingerprint: str = setting("", doc="hash of those data; where it is given, others are refused")
    extractor: str = setting(
        "???",
        doc="features of FD, KID, precision and recall: `digits-cnn`, `shapes-cnn`, "
        "`photos-cnn`, `efficientnet-lite0` or `inception-v3-compat`",
    )
    rank_by: str = setting(
        "???", doc=" or ".join(f"`{name}`" for name in COMPARED), in_identity=NEVER
    )
    summary: str = setting("", doc="what `darbench list tasks` says of it", in_identity=NEVER)
    quick: tuple[str, ...] = setting(
        (), doc="the overrides that `--quick` stands for", in_identity=NEVER
    )
    hours: dict[str, float] = setting(
        {}, doc="hours of one trial of `add`, by hardware", in_identity=NEVER
    )
    # A dictionary {pairs, seed, pair, correlation} for every metric.
    noise: dict[str, Any] = setting(
        {}, doc="what `darbench noise-floor` measured, for `darbench plan`", in_identity=NEVER
    )

    @property
    def data_id(self) -> str:
        """The identity of the data: their name if they ship, otherwise their fingerprint."""
        return f"{self.data}@{self.fingerprint}" if self.fingerprint else self.data

    def identity(self) -> dict[str, Any]:
        values = super().identity()
        del values["fingerprint"]
        return values | {"data": self.data_id}


# The settings that make a backbone a control, and their values in one that is none.
PLAIN: dict[str, Any] = {"skip": "none", "gate": None, "mlp_hidden": None}


@dataclass(frozen=True, kw_only=True)
class Model(Settings):
    """The SiT backbone; `size` fills in depth, width and heads where they are not given."""

    SECTION = "model"

    size: str = setting(
        "nano",
        doc="`nano`, `S`, `B`, `L` or `XL`: depth, width and heads where they are not given",
        in_identity=NEVER,
    )
    depth: int | None = setting(None, doc="blocks; each holds two sites")
    width: int | None = setting(None, doc="width of a token")
    heads: int | None = setting(None, doc="attention heads; must divide the width")
    patch: int = setting(2, doc="side of a patch; must divide the item's")
    mlp_ratio: float = setting(4.0, POSITIVE, doc="width of the MLP over that of a token")
    learn_sigma: bool = setting(
        False, doc="twice the output channels, as the official SiT; the second half is unused"
    )
    zero_t_embed: bool = setting(
        False, doc="zero the last layer of the timestep embedder at the start"
    )
    # What makes it a control, which is no routing; the budget is that of the plain backbone.
    skip: str = setting(
        "none",
        one_of(*SKIPS),
        doc="`none`, or `time`: the output is alpha(t) times the input plus beta(t) times what "
        "the network makes",
        in_identity=IF_CHANGED,
    )
    gate: str | None = setting(
        None,
        one_of(*GATES).or_null(),
        doc="form of the sublayers' gates: `adaln`, `one_plus` or `none`; null is the routing's",
        in_identity=IF_CHANGED,
    )
    mlp_hidden: int | None = setting(
        None,
        at_least(1).or_null(),
        doc="width of the MLP in place of `mlp_ratio`, which still decides the budget",
        in_identity=IF_CHANGED,
    )

    @property
    def plain(self) -> "Model":
        """The backbone of which this one is a control: `add` on it decides the budget."""
        return replace(self, **PLAIN)


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


@dataclass(frozen=True, kw_only=True)
class Stochastic(Settings):
    """The settings of an SDE sampler; the defaults are those of the official SiT script."""

    SECTION = "evaluation.sde"

    form: str = setting(
        "sigma",
        one_of(*DIFFUSIONS),
        doc="form of the diffusion: `constant`, `SBDM`, `sigma`, `linear`, `decreasing` or "
        "`increasing-decreasing`",
    )
    norm: float = setting(1.0, ZERO_OR_MORE, doc="multiplies the diffusion")
    last_step: str = setting(
        "Mean",
        one_of(*LAST_STEPS),
        doc="kind of the last step: `Mean`, `Tweedie`, `Euler` or `none`",
    )
    last_step_size: float = setting(
        0.04,
        PROPER_SHARE,
        Rule("0.04 where last_step is none", lambda v, s: v == 0.04 or s.last_step != "none"),
        doc="size of the last step",
    )


@dataclass(frozen=True, kw_only=True)
class Evaluation(Settings):
    """The settings of evaluation; with the task they make most of darbench.records.protocol."""

    SECTION = "evaluation"

    n_gen: int = setting(
        1437, at_least(2), doc="generated samples; at least the number of features"
    )
    sampler: str = setting(
        "heun",
        one_of(*ODE_SAMPLERS, *SDE_SAMPLERS),
        Rule(
            f"{' or '.join(SDE_SAMPLERS)} where evaluation.sde is set",
            lambda sampler, s: sampler in SDE_SAMPLERS or s.sde == Stochastic(),
        ),
        doc="`euler`, `heun` or `adaptive` for the ODE; `euler_maruyama` or `heun_sde` for "
        "the SDE",
    )
    sampler_steps: int = setting(
        8,
        # The last step of an SDE sampler is of another kind.
        Rule(
            "at least 2",
            lambda steps, s: (
                steps >= 2 or s.sampler not in SDE_SAMPLERS or s.sde.last_step == "none"
            ),
        ),
        at_least(1),
        doc="steps of the sampler; `adaptive` ignores them",
    )
    sde: Stochastic = Stochastic()  # for SDE_SAMPLERS
    guidance: float = setting(
        1.0, at_least(1), doc="scale of classifier-free guidance; 1 is without"
    )
    fd_from: float = setting(
        0.5, SHARE, doc="samples are generated at the checkpoints from this fraction on"
    )
    val_draws: int = setting(
        4, at_least(1), doc="draws of noise and time for each validation image"
    )
    grid: int = setting(
        40,
        Rule("between 0 and n_gen", lambda grid, s: 0 <= grid <= s.n_gen),
        doc="samples kept as a picture",
        in_identity=NEVER,
    )
    diagnose: bool = setting(
        True,
        doc="whether rows say what the routing does, after 1 % of the budget and at the end",
        in_identity=NEVER,
    )
    redraws: int = setting(
        0,
        ZERO_OR_MORE,
        doc="how often to measure the final weights again with other random numbers",
        in_identity=IF_CHANGED,
    )
    fdr_extractors: tuple[str, ...] = setting(
        (),
        Rule("of different names", lambda names, _: len({*names}) == len(names)),
        doc="further extractors, as `efficientnet-lite0`: FDr is the mean over all and the task's",
        in_identity=IF_CHANGED,
    )

    def identity(self) -> dict[str, Any]:
        """Return the identity, without `sde` for an ODE sampler."""
        values = super().identity()
        if self.sampler not in SDE_SAMPLERS:
            del values["sde"]
        return values

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> "Evaluation":
        further = tuple(d.get("fdr_extractors", ()))
        return cls(**dict(d, sde=Stochastic(**d["sde"]), fdr_extractors=further))
