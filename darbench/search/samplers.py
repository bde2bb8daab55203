"""The samplers of a search: who draws its configurations, and what of a space each can draw.

Optuna's are imported once one is made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from darbench.errors import BadInput
from darbench.search.domains import Range
from darbench.search.objectives import TWO
from darbench.search.variants import VariantSpec

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS = ("grid", "random", "halton", "tpe", "cmaes", TWO)
FIXED = ("random", "halton")  # which draw the same whatever the results
EVOLVING = ("cmaes", TWO)  # which draw in generations
GENERATIONS = 5  # of NSGA-II, in all trials; a generation has 4 to 50 of them


def drawable(sampler: str, entries: Sequence[VariantSpec]) -> tuple[VariantSpec, ...]:
    """Return the variants that a sampler draws from.

    One that evolves would draw what is fixed again and again: `add` and controls are left to the
    confirmation. BadInput if it cannot draw from the others: CMA-ES knows numbers alone.
    """
    if sampler not in EVOLVING:
        return tuple(entries)
    free = tuple(entry for entry in entries if entry.domains)
    confirmed = (e for e in entries if e.signature.name == "add" or e.control)
    idle = [e.name for e in entries if e not in (*free, *confirmed)]
    if idle or not free:
        what = idle[0] if idle else "the space"
        raise BadInput(
            f"sampler={sampler}: {what} has nothing to draw; give it a range, or use sampler=tpe"
        )
    return free if sampler == TWO else _numeric(free)


def _numeric(free: tuple[VariantSpec, ...]) -> tuple[VariantSpec, ...]:
    """Return the one variant of two numbers or more that CMA-ES needs; BadInput for others."""
    if len(free) > 1:
        raise BadInput(
            f"sampler=cmaes: it searches the ranges of one variant, and {len(free)} have any "
            f"({', '.join(entry.name for entry in free)}); use sampler=tpe, or leave one"
        )
    domains = free[0].domains
    choices = [key for key, domain in domains.items() if not isinstance(domain, Range)]
    if choices:
        raise BadInput(
            f"sampler=cmaes: {choices[0]} of {free[0].name} is a choice, and it draws numbers "
            "alone; fix it, make it a range, or use sampler=tpe"
        )
    if len(domains) < 2:
        raise BadInput(
            f"sampler=cmaes: {free[0].name} has one range, and it needs two or more; use "
            "sampler=tpe or halton"
        )
    return free


def sampler(name: str, seed: int, trials: int = 0) -> "BaseSampler":
    """Return Optuna's sampler of this name; of Halton's points, which need none, a random one.

    trials: how many configurations it is to draw.
    """
    import warnings

    import optuna

    if name in FIXED:
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "cmaes":
            independent = optuna.samplers.RandomSampler(seed=seed)
            return optuna.samplers.CmaEsSampler(
                seed=seed, independent_sampler=independent, warn_independent_sampling=False
            )
        if name == TWO:
            population = min(max(trials // GENERATIONS, 4), 50)
            return optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
        # group: the parameters of a variant are modelled together, apart from those of others.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
