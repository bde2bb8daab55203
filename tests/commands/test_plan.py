"""Plans of paired seeds, from a measured noise floor or from the card of a task."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.deviation import PAIRED, pooled
from darbench.analysis.effects import SIGNIFICANT, hochberg
from darbench.analysis.power import POWER, power, seeds_needed, smallest_effect
from darbench.cli.tables import plan_text
from darbench.commands import measured_noise
from darbench.commands import plan as planner
from darbench.commands.noise_floor import SPACE, floor, last_rows
from darbench.commands.plan import fraction
from darbench.errors import BadInput
from darbench.search.feasible import checked_space
from darbench.store import ledger
from tests.make.noise import noisy_rows
from tests.make.rows import last_row
from tests.make.spaces import load


def test_a_plan_from_a_measured_floor(tmp_path):
    seeds = f"seeds={list(range(30))}"
    space = checked_space(str(SPACE), ["task=digits-nano", seeds])
    rows = noisy_rows(space)
    path = tmp_path / "noise-floor-digits-nano" / "ledger" / "worker.jsonl"
    for row in rows:
        ledger.append(path, row)
    found = planner.plan("digits-nano", 0.02, [seeds], variants=4, out=tmp_path)
    measured = floor(last_rows(rows, space), "val_loss").pairing.pair
    assert found.deviation == pytest.approx(measured)
    bound = 29 * 1.6  # two variants that share add
    deviation = measured * math.sqrt(bound / stats.chi2(bound).ppf(0.2))
    assert found.planned == pytest.approx(deviation)
    assert found.interval[0] < measured < found.planned < found.interval[1]
    assert (found.pairs, found.compared, found.significance) == (30, 2, 0.0125)
    assert smallest_effect(deviation, found.paired, level=0.9875) <= 0.02
    assert smallest_effect(deviation, found.paired - 1, level=0.9875) > 0.02
    assert found.unpaired > found.paired
    assert found.trials == 5 * found.paired
    assert found.hours == pytest.approx(found.trials * 4.0 / 3600)


@pytest.fixture
def card(monkeypatch):
    """digits-nano, its card changed to tell of other noise."""
    found = checked_space(str(SPACE), ["task=digits-nano"])
    noise = {"val_loss": {"pairs": 5, "seed": 0.01, "pair": 0.004}}
    task = replace(found.ground.task, noise=noise)
    changed = found.on(replace(found.ground, task=task))
    for module in (planner, measured_noise):
        monkeypatch.setattr(module, "checked_space", lambda *a: changed)
    return task


@pytest.mark.parametrize("variants", [1, 10])
def test_the_board_separates_what_was_planned_for(card, tmp_path, variants):
    """One variant differs from `add`, the others do not; all are compared with the same trials."""
    plan = planner.plan("digits-nano", 0.01, variants=variants, out=tmp_path)
    n, deviation = plan.paired, plan.planned
    rng = np.random.default_rng(5)

    def separated(n: int) -> float:
        trials = rng.normal(scale=deviation / np.sqrt(2), size=(20_000, variants + 1, n))
        d = trials[:, 1:] - trials[:, :1]
        d[:, 0] += np.log1p(0.01)
        p_values = stats.ttest_1samp(d, 0, axis=-1).pvalue
        return np.mean([hochberg(p)[0] < SIGNIFICANT for p in p_values])

    assert separated(n) > POWER - 0.01
    assert separated(n - 2) < POWER - 0.01


def test_a_plan_says_its_level(card, run, tmp_path):
    ask = ["plan", "--effect", "1%", "--variants", "10", "--out", str(tmp_path)]
    _, text, _ = run(*ask)
    assert "with a chance of 80% (level 0.5% for each variant):" in text
    _, plain, _ = run(*ask, "--json")
    assert json.loads(plain)["significance"] == 0.005


def test_a_plan_from_the_card_of_a_task(card, tmp_path):
    hours = next(iter(card.hours.values()))
    made = planner.plan("digits-nano", 0.01, out=tmp_path)
    assert (made.deviation, made.pairs, made.source) == (0.004, 5, "the card of digits-nano")
    assert made.hours == pytest.approx(hours * made.trials)


def test_the_noise_of_more_pair_ids_is_planned_from(card, tmp_path):
    space = planner.checked_space()
    path = tmp_path / "noise-floor-digits-nano" / "ledger" / "worker.jsonl"
    for row in noisy_rows(space):  # of five, as the card's
        if row["pair_id"] < 4:
            ledger.append(path, row)
    assert planner.plan("digits-nano", 0.01, out=tmp_path).source == "the card of digits-nano"
    for row in noisy_rows(space):
        if row["pair_id"] == 4:
            ledger.append(path, row)
    found = planner.plan("digits-nano", 0.01, out=tmp_path)
    assert (found.pairs, found.source) == (5, str(path.parents[1]))


def test_what_any_leaderboard_of_the_task_measured_is_pooled(card, tmp_path):
    """Other variants of the recipe in another folder; not another recipe, task or failure."""
    space = planner.checked_space()
    floor_rows = noisy_rows(space)
    for row in floor_rows:
        ledger.append(tmp_path / "noise-floor-digits-nano" / "ledger" / "w.jsonl", row)
    alone = planner.plan("digits-nano", 0.01, out=tmp_path)
    base = {row["pair_id"]: row["val_loss"] for row in floor_rows if row["routing"] == "add"}
    wide = load(tmp_path, "seeds: [0, 1, 2, 3, 4]\nvariants: [{routing: add}, {routing: mudd}]")
    (_, mudd) = wide.grid()
    logs = np.array([0.3, 0.1, 0.2, 0.35, 0.05])
    trials = [mudd.trial(seed, "confirm") for seed in range(5)]
    own = [last_row(trial, base[seed] * math.exp(logs[seed])) for seed, trial in enumerate(trials)]
    noise = [
        own[0] | {"status": "diverged", "pair_id": 7},
        *(row | {"protocol_hash": "other", "val_loss": 9.0} for row in own[:2]),
        *(row | {"task": "shapes-nano", "val_loss": 9.0} for row in own[:2]),
        *(
            last_row(replace(t, training=replace(t.training, steps=9)), 9.0 + t.pair_id)
            for t in trials
        ),
    ]
    for row in [*own, *noise]:
        ledger.append(tmp_path / "mine" / "ledger" / "w.jsonl", row)
    both = planner.plan("digits-nano", 0.01, out=tmp_path)
    squares = 2 * alone.deviation**2 + logs.var(ddof=1)
    assert both.deviation == pytest.approx(math.sqrt(squares / 3))
    assert (both.pairs, both.compared) == (5, 3)
    assert both.source == f"{tmp_path / 'mine'}, {tmp_path / 'noise-floor-digits-nano'}"


def test_plans_from_five_pairs_have_the_power_that_they_promise():
    """For ten variants and half a percent, by noise floors whose true deviation is known.

    Of plans from the estimate itself half have less power.
    """
    truth, effect, level = 0.0038, math.log1p(0.005), 1 - SIGNIFICANT / 10
    seeds = range(2, 40)
    reach = [math.log1p(smallest_effect(1.0, n, level=level)) for n in seeds]
    chance = np.array([*(power(effect, truth, n, level=level) for n in seeds), 1.0])
    assert chance[-2] > 0.99  # more seeds have enough in any case

    def share(deviations: list[float]) -> float:
        """The share of plans with enough power, each of the fewest seeds that seem enough."""
        enough = np.outer(deviations, [*reach, 0.0]) <= effect
        return np.mean(chance[enough.argmax(axis=1)] >= POWER)

    rng = np.random.default_rng(2)
    for variants in (1, 2):
        trials = rng.normal(scale=truth / math.sqrt(2), size=(2000, variants + 1, 5))
        differences = trials[:, 1:] - trials[:, :1]
        found = [pooled([dict(enumerate(own)) for own in each], PAIRED) for each in differences]
        assert share([each.upper for each in found]) >= 0.78
        assert share([each.value for each in found]) < 0.55
    fewest = seeds[np.argmax(found[0].upper * np.array(reach) <= effect)]
    assert fewest == seeds_needed(0.005, found[0].upper, level=level)


def test_noise_that_is_unknown_comes_with_the_command_that_measures_it(tmp_path):
    out = tmp_path / "my results"
    with pytest.raises(BadInput) as refused:
        planner.plan("digits-nano", 0.01, ["training.steps=77", "seeds=[0,1]"], out=out)
    assert str(refused.value) == (
        "the noise of val_loss on digits-nano has not been measured with these settings and this "
        "source of the routings; 6 trials of 0.014 hours on one core of an AMD EPYC do it: "
        "darbench noise-floor --task digits-nano training.steps=77 'seeds=[0,1]' "
        f"--out '{out}'"
    )
    with pytest.raises(BadInput) as refused:  # and asks for no data
        planner.plan("cifar10-small", 0.01)
    text = str(refused.value)
    assert text.startswith(
        "the noise of val_loss on cifar10-small has not been measured; 15 trials of "
    )
    assert text.endswith("do it: darbench noise-floor --task cifar10-small")


@pytest.mark.parametrize("pairs", [2, 5])
def test_a_plan_says_of_how_many_pair_ids_it_knows(pairs):
    found = planner.Plan(
        metric="val_loss",
        extractor="x",
        effect=-0.02,
        deviation=0.01,
        interval=(0.006, 0.03),
        planned=0.014,
        pairs=pairs,
        compared=2,
        significance=0.05,
        paired=5,
        unpaired=None,
        trials=10,
        hours=None,
        source="the card",
    )
    text = plan_text(found)
    assert f"vary by 1.00% [0.60%, 3.00%], over {pairs} pair ids of 2 variants" in text
    assert "planned for 1.40%, which is more than the truth with a chance of 80%" in text
    assert "to see -2.00% in" in text
    assert ("a rough estimate" in text) == (pairs == 2)


def test_an_effect_is_a_fraction_or_a_percentage():
    assert fraction("2%") == fraction("0.02") == 0.02
    assert fraction("-2%") == -0.02 and fraction("150%") == 1.5
    for text in ("0", "-100%", "two", "nan", "inf%"):
        with pytest.raises(BadInput, match=f"effect {text}: must be a change of the metric"):
            fraction(text)
    with pytest.raises(BadInput, match="effect 2: write 2%, or 200% if that is meant"):
        fraction("2")


def test_an_effect_may_be_more_than_the_metric_itself(card, tmp_path):
    sought = {
        effect: planner.plan("digits-nano", effect, out=tmp_path).paired
        for effect in (-0.5, -0.01, 0.01, 1.5)
    }
    assert sought[-0.5] == sought[1.5] == 2 < sought[0.01]
    assert sought[-0.01] == pytest.approx(sought[0.01], abs=1)


def test_an_unknown_metric_is_refused(tmp_path):
    with pytest.raises(BadInput, match="unknown metric 'fid'; did you mean fd"):
        planner.plan("digits-nano", 0.01, metric="fid", out=tmp_path)
