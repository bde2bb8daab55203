"""The samplers of a search: who draws its configurations, and what of a space each can draw.

Optuna's are imported once one is made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from darbench.errors import BadInput
from darbench.search.domains import Range
from darbench.search.variants import VariantSpec

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SAMPLERS = ("grid", "random", "halton", "tpe", "cmaes")
FIXED = ("random", "halton")  # which draw the same whatever the results
EVOLVING = ("cmaes",)  # which draw in generations


def drawable(sampler: str, entries: Sequence[VariantSpec]) -> tuple[VariantSpec, ...]:
    """Return the variants that a sampler draws from; the others are fixed ones.

    BadInput if it cannot draw from them: CMA-ES knows numbers alone.
    """
    if sampler != "cmaes":
        return tuple(entries)
    free = tuple(entry for entry in entries if entry.domains)
    if len(free) != 1:
        names = ", ".join(entry.name for entry in free) or "none"
        raise BadInput(
            f"sampler=cmaes: it searches the ranges of one variant, and {len(free)} have any "
            f"({names}); use sampler=tpe, or leave one"
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


def sampler(name: str, seed: int) -> "BaseSampler":
    """Return Optuna's sampler of this name; of Halton's points, which need none, a random one."""
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
        # group: the parameters of a variant are modelled together, apart from those of others.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
