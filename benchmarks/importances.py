"""Which of Optuna's evaluators of importance comes nearest where the shares of variance are known.

    python benchmarks/importances.py [--repeats N]

The objective is log10(a) + b / 2 plus a little noise, c and d do nothing: the shares are 2/3, 1/3,
0 and 0. Printed are how often a and b come first in this order, the mean shares, the largest share
where the results are noise alone, and seconds for one evaluation.
"""

import argparse
import math
import random
import statistics
import time

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import (
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)

DOMAINS = {
    "a": FloatDistribution(0.1, 10, log=True),
    "b": CategoricalDistribution(["none", "one", "minus one"]),
    "c": IntDistribution(1, 8),
    "d": FloatDistribution(0, 1),
}
VALUES = {"none": 0, "one": 1, "minus one": -1}
EVALUATORS = {
    "fANOVA": lambda: FanovaImportanceEvaluator(seed=0),
    "mean decrease of impurity": lambda: MeanDecreaseImpurityImportanceEvaluator(seed=0),
    "PED-ANOVA": PedAnovaImportanceEvaluator,
}
SAMPLERS = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
}


def study_of(sampler: str, trials: int, seed: int, *, noise: bool) -> optuna.Study:
    study, rng = optuna.create_study(sampler=SAMPLERS[sampler](seed)), random.Random(seed)
    for _ in range(trials):
        asked = study.ask(DOMAINS)
        known = math.log10(asked.params["a"]) + VALUES[asked.params["b"]] / 2
        study.tell(asked, rng.gauss(0, 1) if noise else known + rng.gauss(0, 0.1))
    return study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=8)
    repeats = range(parser.parse_args().repeats)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for sampler in SAMPLERS:
        for trials in (8, 12, 24, 48):
            studies = [
                [study_of(sampler, trials, seed, noise=noise) for seed in repeats]
                for noise in (False, True)
            ]
            for name, evaluator in EVALUATORS.items():
                started = time.process_time()
                known, chance = (
                    [get_param_importances(study, evaluator=evaluator()) for study in own]
                    for own in studies
                )
                seconds = (time.process_time() - started) / 2 / len(repeats)
                right = sum([*shares][:2] == ["a", "b"] for shares in known)
                means = [statistics.fmean(shares[p] for shares in known) for p in DOMAINS]
                largest = statistics.fmean(max(shares.values()) for shares in chance)
                told = " ".join(f"{mean:.2f}" for mean in means)
                print(
                    f"{sampler:6} {trials:3} {name:26} right {right}/{len(repeats)}  "
                    f"shares {told}  noise {largest:.2f}  {seconds:.2f} s"
                )


if __name__ == "__main__":
    main()
