"""The settings of a trial: task, model, recipe, evaluation, each field with its rule.

Frozen keyword-only dataclasses of plain values, so that a configuration is checked without torch.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import PurePath
from typing import Any

# Names of what darbench.flow defines; a configuration is checked without torch.
OBJECTIVES = ("velocity", "noise", "score", "repa")
PATHS = ("Linear", "GVP", "VP")
WEIGHTINGS = ("none", "velocity", "likelihood")
ODE_SAMPLERS = ("euler", "heun", "adaptive")
SDE_SAMPLERS = ("euler_maruyama", "heun_sde")
DIFFUSIONS = ("constant", "SBDM", "sigma", "linear", "decreasing", "increasing-decreasing")
LAST_STEPS = ("Mean", "Tweedie", "Euler", "none")


# Fields of a recipe that came later, and what used to be the only way: an identity does not say
# it, so that older trials keep their ids.
UNSAID = {"objective": "velocity", "path": "Linear", "weighting": "none", "precision": "float32"}


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    _need(name, value, value in known, "one of " + ", ".join(known))


def _need(name: str, value: Any, holds: bool, rule: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}={value}: must be finite")
    if not holds:
        raise ValueError(f"{name}={value}: must be {rule}")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is learnt and how it is judged; fixed for all variants of a comparison."""

    name: str = "???"
    version: int = 1
    data: str = "???"  # a dataset of darbench.data
    data_path: str = ""  # where its files lie, for one that does not ship; no part of any identity
    fingerprint: str = (
        ""  # of those files; found when a space is composed, or declared by the task
    )
    extractor: str = "???"  # feature extractor of FD, KID, IS, precision and recall
    rank_by: str = "???"  # the metric column the board ranks by; lower is better
    summary: str = ""
    quick: tuple[str, ...] = ()  # the overrides that --quick stands for
    hours: dict[str, float] = field(default_factory=dict)  # of one trial of add, by hardware
    # Metric -> {pairs, seed, pair, correlation}, of `darbench noise-floor`; for planning only.
    noise: dict[str, Any] = field(default_factory=dict)

    @property
    def data_id(self) -> str:
        """What ships is known by its name, what lies in files by their content."""
        return f"{self.data}@{self.fingerprint}" if self.fingerprint else self.data


@dataclass(frozen=True, kw_only=True)
class Model:
    """The SiT backbone. `size` fills in depth, width and heads where they are not given."""

    size: str = "nano"
    depth: int | None = None  # blocks; each holds two sites
    width: int | None = None
    heads: int | None = None
    patch: int = 2
    mlp_ratio: float = 4.0
    learn_sigma: bool = False
    zero_t_embed: bool = False  # zero the last layer of the timestep embedder at the start

    def __post_init__(self):
        _need("model.mlp_ratio", self.mlp_ratio, self.mlp_ratio > 0, "positive")


@dataclass(frozen=True, kw_only=True)
class Repa:
    """Representation alignment, of training.objective=repa."""

    layer: int = 4  # how many blocks lie before the aligned state; 8 of 28 in the paper
    coefficient: float = 0.5
    hidden: int | None = None  # width of the projector; twice the model's unless given
    norm: bool = False  # normalise the state before the projector
    encoder: str | None = (
        None  # of darbench.trial.encoders; the extractor of the task unless given
    )
    size: int | None = None  # side of the pictures that a timm encoder sees; its own unless given
    weights: str = ""  # of a timm encoder, a .safetensors file
    # Of that file's content, or of the source of a registered encoder: what an id knows of them.
    fingerprint: str = ""

    def __post_init__(self):
        _need("training.repa.layer", self.layer, self.layer >= 1, "at least 1")
        _need("training.repa.coefficient", self.coefficient, self.coefficient > 0, "positive")
        wide = self.hidden is None or self.hidden >= 1
        _need("training.repa.hidden", self.hidden, wide, "at least 1, or null")
        _need(
            "training.repa.size",
            self.size,
            self.size is None or self.size >= 1,
            "at least 1, or null",
        )


@dataclass(frozen=True, kw_only=True)
class Training:
    """The recipe. `steps` are add-equivalent: the budget is steps x training FLOPs of an add step.

    Checkpoint k is the first step whose cumulative training FLOPs reach checkpoints[k] x budget.
    """

    steps: int = 500
    batch: int = 64
    # Samples in one forward, where the batch does not fit; null is all. Their gradients add up to
    # that of the batch up to the rounding of `precision`, so it is no part of any id.
    micro_batch: int | None = None
    lr: float = 1e-4
    weight_decay: float = 0.0
    warmup: int = 0  # steps of linear learning-rate warm-up
    ema: float = 0.9999
    label_dropout: float = 0.1
    objective: str = "velocity"  # velocity | noise | score | repa: velocity with alignment
    path: str = "Linear"  # Linear | GVP | VP
    weighting: str = "none"  # none | velocity | likelihood, of a noise or a score
    repa: Repa = Repa()
    precision: str = "float32"  # float32 | bfloat16: autocast of the forward; weights stay float32
    checkpoints: tuple[float, ...] = (0.25, 0.5, 1.0)
    timeout_s: float = 3600.0  # wall-clock limit of one trial

    def __post_init__(self):
        _need("training.steps", self.steps, self.steps >= 1, "at least 1")
        _need("training.batch", self.batch, self.batch >= 1, "at least 1")
        part = self.micro_batch is None or self.micro_batch >= 1
        _need("training.micro_batch", self.micro_batch, part, "at least 1, or null")
        _need("training.lr", self.lr, self.lr > 0, "positive")
        _need("training.weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more")
        _need("training.warmup", self.warmup, self.warmup >= 0, "0 or more")
        _need("training.ema", self.ema, 0 <= self.ema < 1, "in [0, 1)")
        _need(
            "training.label_dropout", self.label_dropout, 0 <= self.label_dropout < 1, "in [0, 1)"
        )
        _one_of("training.objective", self.objective, OBJECTIVES)
        _one_of("training.path", self.path, PATHS)
        _one_of("training.weighting", self.weighting, WEIGHTINGS)
        plain = self.weighting == "none" or self.objective in ("noise", "score")
        rule = "none unless the objective is noise or score"
        _need("training.weighting", self.weighting, plain, rule)
        alone = self.objective == "repa" or self.repa == Repa()
        _need("training.objective", self.objective, alone, "repa where training.repa is set")
        _one_of("training.precision", self.precision, ("float32", "bfloat16"))
        marks = tuple(self.checkpoints)
        ordered = len(marks) > 1 and marks[0] > 0 and marks[-1] == 1.0
        ordered = ordered and all(a < b for a, b in pairwise(marks))
        _need(
            "training.checkpoints",
            list(marks),
            ordered,
            "two or more, increasing, in (0, 1], the last 1.0",
        )
        _need("training.timeout_s", self.timeout_s, self.timeout_s > 0, "positive")

    def identity(self) -> dict:
        """What decides the result, as plain values. What is `UNSAID` is left out."""
        values = asdict(self)
        del values["timeout_s"], values["micro_batch"]
        if self.repa.size is None:
            del values["repa"]["size"]
        if self.repa.fingerprint:
            del values["repa"]["weights"]
        else:
            del values["repa"]["fingerprint"]
            values["repa"]["weights"] = PurePath(self.repa.weights).name
        if self.objective != "repa":
            del values["repa"]
        return {k: v for k, v in values.items() if k not in UNSAID or v != UNSAID[k]}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> "Training":
        return cls(**dict(d, checkpoints=tuple(d["checkpoints"]), repa=Repa(**d["repa"])))


@dataclass(frozen=True, kw_only=True)
class Stochastic:
    """How an SDE sampler goes; the defaults are those of the official SiT script."""

    form: str = "sigma"  # constant | SBDM | sigma | linear | decreasing | increasing-decreasing
    norm: float = 1.0  # multiplies the diffusion
    last_step: str = "Mean"  # Mean | Tweedie | Euler | none
    last_step_size: float = 0.04

    def __post_init__(self):
        _one_of("evaluation.sde.form", self.form, DIFFUSIONS)
        _need("evaluation.sde.norm", self.norm, self.norm >= 0, "0 or more")
        _one_of("evaluation.sde.last_step", self.last_step, LAST_STEPS)
        inside = 0 < self.last_step_size < 1
        _need("evaluation.sde.last_step_size", self.last_step_size, inside, "in (0, 1)")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The evaluation protocol. With the task it makes most of darbench.records.protocol."""

    n_gen: int = 1437  # generated samples per evaluation
    sampler: str = "heun"  # euler | heun | adaptive | euler_maruyama | heun_sde
    sampler_steps: int = 8
    sde: Stochastic = Stochastic()  # of the last two samplers
    guidance: float = 1.0  # classifier-free guidance scale; 1 is without
    fd_from: float = 0.5  # generate samples at the checkpoints from this fraction of the budget on
    val_draws: int = 4  # (noise, t) draws per validation image
    grid: int = 40  # samples kept as a picture
    redraws: int = 0  # measure the final weights as often again, with other random numbers

    def __post_init__(self):
        _need("evaluation.n_gen", self.n_gen, self.n_gen >= 2, "at least 2")
        _one_of("evaluation.sampler", self.sampler, (*ODE_SAMPLERS, *SDE_SAMPLERS))
        alone = self.sampler in SDE_SAMPLERS or self.sde == Stochastic()
        rule = f"{' or '.join(SDE_SAMPLERS)} where evaluation.sde is set"
        _need("evaluation.sampler", self.sampler, alone, rule)
        # An SDE's last step is one of its own kind.
        least = 2 if self.sampler in SDE_SAMPLERS and self.sde.last_step != "none" else 1
        _need(
            "evaluation.sampler_steps",
            self.sampler_steps,
            self.sampler_steps >= least,
            f"at least {least}",
        )
        _need("evaluation.guidance", self.guidance, self.guidance >= 1, "at least 1")
        _need("evaluation.fd_from", self.fd_from, 0 <= self.fd_from <= 1, "in [0, 1]")
        _need("evaluation.val_draws", self.val_draws, self.val_draws >= 1, "at least 1")
        _need("evaluation.grid", self.grid, 0 <= self.grid <= self.n_gen, "between 0 and n_gen")
        _need("evaluation.redraws", self.redraws, self.redraws >= 0, "0 or more")

    def identity(self) -> dict:
        """What decides the result, as plain values; an ODE sampler has no use for `sde`."""
        values = asdict(self)
        del values["grid"]
        if not self.redraws:
            del values["redraws"]
        if self.sampler not in SDE_SAMPLERS:
            del values["sde"]
        return values

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> "Evaluation":
        return cls(**dict(d, sde=Stochastic(**d["sde"])))
