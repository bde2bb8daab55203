"""Which parameters of a search mattered: Optuna's importances, of each variant by itself.

They are mean decreases of impurity in a random forest: of Optuna's evaluators these put parameters
in the right order most often once there are twelve configurations or more, for a third of the time
that fANOVA takes. PED-ANOVA asks what the best tenth has in common and hardly sees a second
parameter (benchmarks/importances.py). The shares themselves are rough, the largest one too large.
They are 1 in all even where nothing matters, so that each stands beside the largest one that it
reached with its values shuffled.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.importance import MeanDecreaseImpurityImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from darbench.store.importances import Importance

FEWEST = 10  # configurations: with fewer the order of two parameters is wrong half of the time
SHUFFLES = 19  # the largest of so many is passed by one in twenty where nothing matters
_TREES = 32
_AS_DRAWN: Mapping[str, Sequence[Any]] = {}


def importances(trials: Sequence[FrozenTrial]) -> list[Importance]:
    """The importances of every variant that was drawn, of its finished trials.

    The parameter `variant` is its name, all others begin with that and a slash.
    """
    variants = dict.fromkeys(trial.params["variant"] for trial in trials)
    return [_importance(v, [t for t in trials if t.params["variant"] == v]) for v in variants]


def _importance(variant: str, trials: list[FrozenTrial]) -> Importance:
    free = [name for name, domain in trials[0].distributions.items() if not domain.single()]
    names = [name for name in free if name != "variant"]
    values = [trial.value for trial in trials]
    if len(names) < 2:
        reason = "it has one parameter" if names else "it has no parameters"
    elif len(trials) < FEWEST:
        reason = f"{len(trials)} of at least {FEWEST} configurations finished"
    elif len({*values}) < 2:
        reason = "all results are equal"
    else:
        return _weighed(variant, trials, names)
    return Importance(variant=variant, trials=len(trials), shares=None, reason=reason)


def _weighed(variant: str, trials: list[FrozenTrial], names: list[str]) -> Importance:
    short = {name: name.removeprefix(f"{variant}/") for name in names}
    shares = _shares(trials, names)
    return Importance(
        variant=variant,
        trials=len(trials),
        shares={short[name]: shares[name] for name in sorted(names, key=lambda n: -shares[n])},
        chance={short[name]: _by_chance(trials, names, name) for name in names},
    )


def _by_chance(trials: list[FrozenTrial], names: list[str], name: str) -> float:
    """The largest share of a parameter whose values were shuffled, all others left as they are."""
    drawn = [trial.params[name] for trial in trials]
    shuffles = (random.Random(k).sample(drawn, len(drawn)) for k in range(SHUFFLES))
    return max(_shares(trials, names, {name: values})[name] for values in shuffles)


def _shares(
    trials: list[FrozenTrial], names: list[str], instead: Mapping[str, Sequence[Any]] = _AS_DRAWN
) -> dict[str, float]:
    """The share of each parameter, where some have other values than those drawn."""
    study = optuna.create_study()
    study.add_trials(
        optuna.trial.create_trial(
            params={
                name: instead[name][k] if name in instead else trial.params[name] for name in names
            },
            distributions={name: trial.distributions[name] for name in names},
            value=trial.value,
        )
        for k, trial in enumerate(trials)
    )
    forest = MeanDecreaseImpurityImportanceEvaluator(n_trees=_TREES, seed=0)
    found = get_param_importances(study, evaluator=forest, params=names)
    return {name: float(share) for name, share in found.items()}
