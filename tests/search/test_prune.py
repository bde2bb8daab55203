"""Settings of early stopping: what could never stop anything is refused, in one line."""

import pytest
from scipy.stats import wilcoxon

from darbench.errors import BadInput
from tests.make.spaces import load
from tests.search.checkpoints import PRUNED


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["prune.pruner=halvng"], r"pruner in prune.pruner: 'halvng'.*halving"),
        (["prune.pruner=halving", "sampler=grid"], "a grid ranks all that it runs"),
        (["prune.pruner=halving", "prune.factor=1"], "factor must be 2 or more"),
        (["prune.pruner=halving", "prune.after=9"], "has 9 checkpoints, over its 3 seeds"),
        (["prune.pruner=wilcoxon", "prune.level=1.5"], "must be between 0 and 1"),
        (["prune.pruner=wilcoxon"], "on 3 seeds it cannot come below.*at least 5 seeds"),
        (["prune.pruner=halving", "prune.level=0.2"], "no effect with prune.pruner=halving"),
        (["prune.pruner=median", "prune.factor=2"], "no effect with prune.pruner=median"),
        (["prune.startup=2"], "no effect with prune.pruner=none"),
    ],
)
def test_what_cannot_be_pruned_is_one_line(tmp_path, overrides, said):
    with pytest.raises(BadInput, match=said) as caught:
        load(tmp_path, PRUNED, *overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("level", [0.04, 0.1, 0.3])
def test_the_fewest_seeds_for_wilcoxon_are_those_of_scipy(tmp_path, level):
    """The last seed is not asked after: one fewer must come below the level."""
    enough = next(
        n
        for n in range(3, 20)
        if wilcoxon(range(1, n), alternative="greater", zero_method="zsplit").pvalue < level
    )
    given = ["prune.pruner=wilcoxon", f"prune.level={level}"]
    assert load(tmp_path, PRUNED, *given, f"seeds={[*range(enough)]}").prune.by_seed
    if enough > 3:
        with pytest.raises(BadInput, match=f"at least {enough} seeds"):
            load(tmp_path, PRUNED, *given, f"seeds={[*range(enough - 1)]}")
