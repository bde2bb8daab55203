"""Plans of paired seeds, from a measured noise floor or from the card of a task."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.effects import SIGNIFICANT, hochberg
from darbench.analysis.power import POWER, smallest_effect
from darbench.cli.tables import plan_text
from darbench.commands import plan as planner
from darbench.commands.noise_floor import SPACE, floor, last_rows
from darbench.commands.plan import fraction
from darbench.errors import BadInput
from darbench.search.feasible import checked_space
from darbench.store import ledger
from tests.make.noise import noisy_rows


def test_a_plan_from_a_measured_floor(tmp_path):
    seeds = f"seeds={list(range(30))}"
    space = checked_space(str(SPACE), ["task=digits-nano", seeds])
    rows = noisy_rows(space)
    path = tmp_path / "noise-floor-digits-nano" / "ledger" / "worker.jsonl"
    for row in rows:
        ledger.append(path, row)
    found = planner.plan("digits-nano", 0.02, [seeds], variants=4, out=tmp_path)
    deviation = floor(last_rows(rows, space), "val_loss").pairing.pair
    assert found.deviation == pytest.approx(deviation)
    assert found.significance == 0.0125
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
    task = replace(found.task, noise=noise)
    monkeypatch.setattr(planner, "checked_space", lambda *a: replace(found, task=task))
    return task


@pytest.mark.parametrize("variants", [1, 10])
def test_the_board_separates_what_was_planned_for(card, tmp_path, variants):
    """One variant differs from `add`, the others do not; all are compared with the same trials."""
    n = planner.plan("digits-nano", 0.01, variants=variants, out=tmp_path).paired
    rng = np.random.default_rng(5)

    def separated(n: int) -> float:
        trials = rng.normal(scale=0.004 / np.sqrt(2), size=(20_000, variants + 1, n))
        d = trials[:, 1:] - trials[:, :1]
        d[:, 0] += np.log1p(0.01)
        p_values = stats.ttest_1samp(d, 0, axis=-1).pvalue
        return np.mean([hochberg(p)[0] < SIGNIFICANT for p in p_values])

    assert separated(n) > POWER - 0.01
    assert separated(n - 1) < POWER - 0.01


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
        pairs=pairs,
        significance=0.05,
        paired=5,
        unpaired=None,
        trials=10,
        hours=None,
        source="the card",
    )
    text = plan_text(found)
    assert f"vary by 1.00%, over {pairs} pair ids" in text and "to see -2.00% in" in text
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
