"""The settings of a trial: task, model, recipe, evaluation, each field with its rule and its doc.

Frozen keyword-only dataclasses of plain values, so that a configuration is checked without torch.
docs/settings.py writes docs/settings.md from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from darbench.records.metric import COMPARED
from darbench.records.setting import (
    IF_CHANGED,
    NEVER,
    POSITIVE,
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

# Names of what darbench.flow defines; a configuration is checked without torch.
OBJECTIVES = ("velocity", "noise", "score", "repa")
PATHS = ("Linear", "GVP", "VP")
WEIGHTINGS = ("none", "velocity", "likelihood")
PRECISIONS = ("float32", "bfloat16")
ODE_SAMPLERS = ("euler", "heun", "adaptive")
SDE_SAMPLERS = ("euler_maruyama", "heun_sde")
DIFFUSIONS = ("constant", "SBDM", "sigma", "linear", "decreasing", "increasing-decreasing")
LAST_STEPS = ("Mean", "Tweedie", "Euler", "none")


@dataclass(frozen=True, kw_only=True)
class Task(Settings):
    """What is learnt and how it is judged; fixed for all variants of a comparison."""

    SECTION = "task"

    name: str = setting("???", doc="what it is called; required")
    version: int = setting(1, doc="part of every id: results of two versions do not mix")
    data: str = setting(
        "???",
        doc="`digits`, `shapes`, `cifar10`, `latents`, or `image_folder_N` with N of 32, 64, 128, "
        "256",
    )
    data_path: str = setting("", doc="folder of data that do not ship", said=NEVER)
    fingerprint: str = setting("", doc="of those data; others are refused where it is given")
    extractor: str = setting(
        "???",
        doc="features of FD, KID, precision and recall: `digits-cnn`, `shapes-cnn` or "
        "`inception-v3-compat`",
    )
    rank_by: str = setting("???", doc=" or ".join(f"`{name}`" for name in COMPARED), said=NEVER)
    summary: str = setting("", doc="what `darbench list tasks` says of it", said=NEVER)
    quick: tuple[str, ...] = setting((), doc="the overrides that `--quick` stands for", said=NEVER)
    hours: dict[str, float] = setting({}, doc="of one trial of `add`, by hardware", said=NEVER)
    # Metric -> {pairs, seed, pair, correlation}.
    noise: dict[str, Any] = setting(
        {}, doc="of `darbench noise-floor`, for `darbench plan`", said=NEVER
    )

    @property
    def data_id(self) -> str:
        """What ships is known by its name, what lies in files by their content."""
        return f"{self.data}@{self.fingerprint}" if self.fingerprint else self.data

    def identity(self) -> dict[str, Any]:
        values = super().identity()
        del values["fingerprint"]
        return values | {"data": self.data_id}


@dataclass(frozen=True, kw_only=True)
class Model(Settings):
    """The SiT backbone. `size` fills in depth, width and heads where they are not given."""

    SECTION = "model"

    size: str = setting(
        "nano",
        doc="`nano`, `S`, `B`, `L` or `XL`: depth, width and heads where they are not given",
        said=NEVER,
    )
    depth: int | None = setting(None, doc="blocks; each holds two sites")
    width: int | None = setting(None, doc="of a token")
    heads: int | None = setting(None, doc="must divide the width")
    patch: int = setting(2, doc="side of a patch; must divide the item's")
    mlp_ratio: float = setting(4.0, POSITIVE, doc="width of the MLP over that of a token")
    learn_sigma: bool = setting(
        False, doc="twice the output channels, as the official SiT; the second half is unused"
    )
    zero_t_embed: bool = setting(
        False, doc="zero the last layer of the timestep embedder at the start"
    )


@dataclass(frozen=True, kw_only=True)
class Repa(Settings):
    """Representation alignment, of training.objective=repa."""

    SECTION = "training.repa"

    # 8 of 28 in the paper.
    layer: int = setting(4, at_least(1), doc="blocks before the aligned state; at most the depth")
    coefficient: float = setting(0.5, POSITIVE, doc="of the alignment in the loss")
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
        said=IF_CHANGED,
    )
    weights: str = setting("", doc="a `.safetensors` file, of a timm encoder")
    # The hash of that file's content, or of the source of a registered encoder.
    fingerprint: str = setting(
        "", doc="of the encoder; found when the space is composed", said=IF_CHANGED
    )

    def identity(self) -> dict[str, Any]:
        """Weights are known by their fingerprint, or else by the name of their file."""
        values = super().identity()
        if self.fingerprint:
            del values["weights"]
            return values
        return values | {"weights": PurePath(self.weights).name}


def _marks_increase(marks: tuple[float, ...], _: Any) -> bool:
    inside = len(marks) > 1 and marks[0] > 0 and marks[-1] == 1.0
    return inside and all(a < b for a, b in pairwise(marks))


@dataclass(frozen=True, kw_only=True)
class Training(Settings):
    """The recipe. `steps` are add-equivalent: the budget is steps x training FLOPs of an add step.

    Checkpoint k is the first step whose cumulative training FLOPs reach checkpoints[k] x budget.
    """

    SECTION = "training"

    steps: int = setting(
        500,
        at_least(1),
        doc="of `add`: the budget is their FLOPs, and a dearer variant takes fewer",
    )
    batch: int = setting(64, at_least(1), doc="samples a step")
    # The gradients of the parts add up to that of the batch up to the rounding of `precision`, so
    # it is no part of any id.
    micro_batch: int | None = setting(
        None,
        at_least(1).or_null(),
        doc="samples in one forward, where the batch does not fit",
        said=NEVER,
    )
    lr: float = setting(1e-4, POSITIVE, doc="of AdamW")
    weight_decay: float = setting(0.0, ZERO_OR_MORE, doc="of AdamW")
    warmup: int = setting(0, ZERO_OR_MORE, doc="steps of linear warm-up, then constant")
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
        doc="what the model predicts: `velocity`, `noise` or `score`; or `repa`, velocity with "
        "representation alignment",
        said=IF_CHANGED,
    )
    path: str = setting(
        "Linear",
        one_of(*PATHS),
        doc="between noise and data: `Linear`, `GVP` or `VP`",
        said=IF_CHANGED,
    )
    weighting: str = setting(
        "none",
        one_of(*WEIGHTINGS),
        Rule(
            "none unless the objective is noise or score",
            lambda weighting, s: weighting == "none" or s.objective in ("noise", "score"),
        ),
        doc="of a noise or a score over time: `none`, `velocity` or `likelihood`",
        said=IF_CHANGED,
    )
    repa: Repa = Repa()
    # Weights stay float32.
    precision: str = setting(
        "float32",
        one_of(*PRECISIONS),
        doc="`float32`, or `bfloat16`: the forward under autocast; many times slower on an x86 "
        "CPU without AVX-512",
        said=IF_CHANGED,
    )
    checkpoints: tuple[float, ...] = setting(
        (0.25, 0.5, 1.0),
        Rule("two or more, increasing, in (0, 1], the last 1.0", _marks_increase),
        doc="fractions of the budget at which is measured; the last is 1.0",
    )
    timeout_s: float = setting(3600.0, POSITIVE, doc="wall-clock limit of a trial", said=NEVER)

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
    """How an SDE sampler goes; the defaults are those of the official SiT script."""

    SECTION = "evaluation.sde"

    form: str = setting(
        "sigma",
        one_of(*DIFFUSIONS),
        doc="of the diffusion: `constant`, `SBDM`, `sigma`, `linear`, `decreasing` or "
        "`increasing-decreasing`",
    )
    norm: float = setting(1.0, ZERO_OR_MORE, doc="multiplies the diffusion")
    last_step: str = setting(
        "Mean", one_of(*LAST_STEPS), doc="`Mean`, `Tweedie`, `Euler` or `none`"
    )
    last_step_size: float = setting(0.04, PROPER_SHARE, doc="of it")


@dataclass(frozen=True, kw_only=True)
class Evaluation(Settings):
    """The evaluation protocol. With the task it makes most of darbench.records.protocol."""

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
        doc="of the ODE `euler`, `heun` or `adaptive`; of the SDE `euler_maruyama` or `heun_sde`",
    )
    sampler_steps: int = setting(
        8,
        # An SDE's last step is one of its own kind.
        Rule(
            "at least 2",
            lambda steps, s: (
                steps >= 2 or s.sampler not in SDE_SAMPLERS or s.sde.last_step == "none"
            ),
        ),
        at_least(1),
        doc="steps; of no use to `adaptive`",
    )
    sde: Stochastic = Stochastic()  # of SDE_SAMPLERS
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
        said=NEVER,
    )
    redraws: int = setting(
        0,
        ZERO_OR_MORE,
        doc="measure the final weights as often again with other random numbers",
        said=IF_CHANGED,
    )

    def identity(self) -> dict[str, Any]:
        """An ODE sampler has no use for `sde`."""
        values = super().identity()
        if self.sampler not in SDE_SAMPLERS:
            del values["sde"]
        return values

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> "Evaluation":
        return cls(**dict(d, sde=Stochastic(**d["sde"])))
