"""Which entries open a tier: those worse than its leader after a correction for all pairs."""

import math

import pytest
from scipy import stats

from darbench.analysis.entries import entries
from darbench.analysis.tiers import pair_level, tiers
from tests.make.rows import BUDGET, entry_rows, seed_level, trial_rows
from tests.make.trials import toy_trial

SEEDS = (0, 1, 2, 3, 4)


def made(*groups):
    found = entries([row for group in groups for row in group], BUDGET, {})
    return sorted(found, key=lambda e: e.mean("val_loss"))


def variant(label, factors):
    """An entry that is these factors times `add`, seed by seed."""
    rows = []
    for seed, factor in factors.items():
        trial = toy_trial("dar", seed, label=label, params={"of": label})
        rows += trial_rows(trial, level=seed_level(seed) * factor)
    return rows


def placed(found, tried=None):
    return [(e.label, tier) for e, tier, _ in tiers(found, "val_loss", tried or len(found))]


def test_the_level_is_shared_by_all_pairs():
    assert [pair_level(m) for m in (0, 1, 2, 3, 21)] == [0.05, 0.05, 0.05, 0.05 / 3, 0.05 / 210]


def test_the_test_is_the_paired_t_test_at_the_level_of_the_pair():
    noise = (-0.008, 0.003, 0.01, -0.002, 0.004)
    worse = {seed: 1.02 + wobble for seed, wobble in zip(SEEDS, noise, strict=True)}
    found = made(entry_rows("add", SEEDS), variant("worse", worse))
    p = stats.ttest_1samp([math.log(f) for f in worse.values()], 0).pvalue
    tried = next(m for m in range(2, 99) if pair_level(m) <= p)  # one entry more than it stands
    assert tried > 2
    assert placed(found, tried - 1) == [("add", 1), ("worse", 2)]
    assert placed(found, tried) == [("add", 1), ("worse", 1)]


def test_two_entries_are_told_apart_where_their_two_sided_p_is_below_5_percent():
    """A one-sided test of whichever turned out worse would part every tenth pair of equals."""
    for wobble, tier in ((0.011, 1), (0.007, 2)):
        factors = {0: 1.02 - wobble, 1: 1.02, 2: 1.02 + wobble}
        found = made(entry_rows("add"), variant("b", factors))
        p = stats.ttest_1samp([math.log(f) for f in factors.values()], 0).pvalue
        assert (p < 0.05) == (tier == 2) and p < 0.10
        assert placed(found) == [("add", 1), ("b", tier)]


def test_the_leader_is_the_first_of_its_tier_and_not_the_one_before():
    """Steps of 1 % that the data do not see, but the first and the last differ by 4 %."""
    rough = (0.008, -0.008, 0.004, -0.004, 0.0)
    steps = [
        variant(f"s{i}", {s: 1 + i / 100 + rough[(s + i) % 5] for s in SEEDS}) for i in range(5)
    ]
    found = made(*steps)
    tier = dict(placed(found))
    assert tier["s0"] == tier["s1"] == 1 and tier["s4"] > 1
    led = {e.label: (tier, held.label) for e, tier, held in tiers(found, "val_loss", 5)}
    assert all(held == "s0" for label, (_, held) in led.items() if tier[label] == 1)


def test_an_entry_that_shares_fewer_than_two_seeds_with_the_leader_has_no_tier():
    far = variant("far", {7: 1.1, 8: 1.2, 9: 1.3})
    one = variant("one", {2: 1.5, 8: 1.6})
    last = variant("last", {seed: 1.9 + seed / 1000 for seed in SEEDS})
    found = made(entry_rows("add", SEEDS), far, one, last)
    found.sort(key=lambda e: ("add", "far", "one", "last").index(e.label))
    assert placed(found) == [("add", 1), ("far", None), ("one", None), ("last", 2)]


def test_nothing_ranked_has_no_tiers():
    assert placed([], 1) == []


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_leader_of_one_seed_leads_no_tier(seeds):
    found = made(entry_rows("add", SEEDS[:seeds]))
    assert placed(found) == [("add", 1 if seeds > 1 else None)]
