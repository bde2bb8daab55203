"""The settings of evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darbench.records.setting import (
    IF_CHANGED,
    NEVER,
    PROPER_SHARE,
    SHARE,
    ZERO_OR_MORE,
    Rule,
    Settings,
    at_least,
    one_of,
    setting,
)

# These names repeat those in darbench.flow, for a configuration is checked without torch.
ODE_SAMPLERS = ("euler", "heun", "adaptive")
SDE_SAMPLERS = ("euler_maruyama", "heun_sde")
DIFFUSIONS = ("constant", "SBDM", "sigma", "linear", "decreasing", "increasing-decreasing")
LAST_STEPS = ("Mean", "Tweedie", "Euler", "none")


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
