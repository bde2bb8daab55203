"""The noise of a task: from made-up rows, and once as it really runs; and plans from it."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.effects import SIGNIFICANT, holm
from darbench.analysis.power import POWER, smallest_effect
from darbench.cli.tables import kernels, plan_text
from darbench.commands import noise_floor
from darbench.commands import plan as planner
from darbench.commands.noise_floor import (
    SPACE,
    computed_otherwise,
    floor,
    last_rows,
    unpaired,
    whole,
)
from darbench.commands.plan import fraction
from darbench.errors import BadInput
from darbench.records.metric import METRICS, Metric, Series
from darbench.search.feasible import checked_space
from darbench.search.sweep import sweep
from darbench.store import ledger
from tests.make.rows import last_row
from tests.make.spaces import OVERRIDES

MANY = f"seeds={list(range(400))}"


def made(space, training=0.02, generation=0.01, metric=0.005, own=0.01) -> list[dict]:
    """Make last rows with known noise: shared by the trials of a pair id, and each trial's own."""
    rng = np.random.default_rng(3)
    seeds = {seed: training * rng.normal() for seed in space.seeds}
    shared = metric * rng.normal(size=5)  # of the metric's draws, the same for every trial
    rows = []
    for configuration in space.grid():
        for seed in space.seeds:
            level = seeds[seed] + own * rng.normal()
            losses = np.exp(level + shared)
            drawn = np.exp(level + generation * rng.normal(size=5))
            row = last_row(space.trial(configuration, seed, "confirm"), losses[0])
            rows.append(
                row
                | {
                    "val_loss_redraws": [*losses],
                    "fd": drawn[0],
                    "fd_redraws": [*drawn],
                    "fd_reference_redraws": [*(1.1 * drawn[0] * np.exp(shared[1:]))],
                    "train_seconds": 3.0,
                    "eval_seconds": 1.0,
                }
            )
    return rows


@pytest.fixture(scope="module")
def known():
    space = checked_space(str(SPACE), ["task=digits-nano", MANY])
    return space, made(space)


def test_the_floor_recovers_the_noise_that_was_put_in(known):
    space, rows = known
    found = floor(last_rows(rows, space), "fd")
    assert found.pairs == 400
    assert found.training == pytest.approx(np.hypot(0.02, 0.01), rel=0.1)
    assert found.generation == pytest.approx(0.01, rel=0.1)
    within = [np.log(row["fd_redraws"]).var(ddof=1) for row in rows]
    assert found.generation == pytest.approx(np.sqrt(np.mean(within)), rel=1e-9)  # nested
    shared = np.log(rows[0]["fd_reference_redraws"])
    assert found.metric == pytest.approx(shared.std(ddof=1), rel=1e-6)
    one = np.sqrt(0.02**2 + 2 * 0.01**2)
    assert found.pairing.seed == pytest.approx(one, rel=0.1)
    assert found.pairing.pair == pytest.approx(np.sqrt(4) * 0.01, rel=0.1)
    assert found.pairing.correlation == pytest.approx((0.02 / one) ** 2, abs=0.07)


def test_the_metrics_own_draws_do_not_pass_for_a_difference_of_trials(known):
    space, rows = known
    found = floor(last_rows(rows, space), "val_loss")
    assert found.generation is None
    assert found.training == pytest.approx(np.hypot(0.02, 0.01), rel=0.1)
    shared = np.log(rows[0]["val_loss_redraws"])
    assert found.metric == pytest.approx(shared.std(ddof=1), rel=1e-6)


def test_a_metric_of_the_table_has_a_floor_by_its_redraws(known, monkeypatch):
    series = Series(column="new_draws", doc="", redrawn="generation")
    metric = Metric(name="new", title="new", doc="", compared=True, series=(series,))
    monkeypatch.setitem(METRICS, "new", metric)
    monkeypatch.setitem(METRICS, "bare", replace(metric, name="bare", series=()))
    space, rows = known
    rows = [row | {"new": row["fd"], "new_draws": row["fd_redraws"]} for row in rows]
    rows = last_rows([row | {"bare": row["fd"]} for row in rows], space)
    assert floor(rows, "new") == replace(floor(rows, "fd"), metric=None)
    assert floor(rows, "bare") == replace(floor(rows, "new"), training=None, generation=None)


def test_trials_that_failed_or_lack_a_redraw_leave_their_pair_id_out(known):
    space = checked_space(str(SPACE), ["task=digits-nano"])
    rows = made(space)
    rows[0]["fd_redraws"][2] = None
    rows[-1] |= {"status": "diverged"}
    found = last_rows(rows, space)
    assert floor(found, "fd").pairs == 3
    assert floor(found, "val_loss").pairs == 4


def test_trials_that_did_not_see_the_same_leave_their_pair_id_out():
    space = checked_space(str(SPACE), ["task=digits-nano"])
    rows = made(space)
    for row in rows:
        row |= {"audit_step": 256, "audit_noise": f"noise{row['pair_id']}"}
    rows[-1]["audit_noise"] = "other"
    found = last_rows(rows, space)
    last = rows[-1]["label"], rows[-1]["pair_id"]
    assert unpaired(found) == {last[0]: {last[1]: ["noise or times differ"]}}
    assert floor(found, "fd").pairs == 5
    assert floor(whole(found), "fd").pairs == 4


def test_trials_of_other_kernels_are_told_and_stay_in_the_floor():
    space = checked_space(str(SPACE), ["task=digits-nano"])
    rows = made(space)
    for row in rows:
        row["arithmetic"] = 1
    rows[-1]["arithmetic"] = rows[-2]["arithmetic"] = 2
    found = last_rows(rows, space)
    label, pairs = rows[-1]["label"], [rows[-2]["pair_id"], rows[-1]["pair_id"]]
    assert computed_otherwise(found) == {label: pairs}
    assert floor(whole(found), "fd").pairs == 5
    (line,) = kernels(computed_otherwise(found))
    assert line == (
        f"compared all the same, by other kernels than add: {label} in seed {pairs[0]}, {pairs[1]}"
    )
    for row in rows:
        row["arithmetic"] = None
    assert computed_otherwise(last_rows(rows, space)) == {}


@pytest.mark.parametrize("told_by", ["variant_code_hash", "protocol_hash"])
def test_rows_of_another_source_or_another_protocol_do_not_count(known, told_by):
    space, rows = known
    found = last_rows([row | {told_by: "old"} for row in rows], space)
    assert all(own == {} for own in found.values())


def test_one_pair_id_is_no_floor():
    space = checked_space(str(SPACE), ["task=digits-nano", "seeds=[0]"])
    found = floor(last_rows(made(space), space), "val_loss")
    assert (found.pairs, found.training, found.pairing) == (1, None, None)


def test_a_plan_from_a_measured_floor(known, tmp_path):
    space, rows = known
    path = tmp_path / "noise-floor-digits-nano" / "ledger" / "worker.jsonl"
    for row in rows:
        ledger.append(path, row)
    found = planner.plan("digits-nano", 0.02, [MANY], variants=4, out=tmp_path)
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
        return np.mean([holm(p)[0] < SIGNIFICANT for p in p_values])

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
    for row in made(space):  # of five, as the card's
        if row["pair_id"] < 4:
            ledger.append(path, row)
    assert planner.plan("digits-nano", 0.01, out=tmp_path).source == "the card of digits-nano"
    for row in made(space):
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


@pytest.mark.parametrize(
    "override",
    [
        "variants=[{routing: add}]",
        "variants=[{routing: dar},{routing: hyper}]",
        "evaluation.redraws=1",
        "seeds=[3]",
    ],
)
def test_what_gives_no_floor_is_refused_before_anything_runs(tmp_path, override):
    needs = "a noise floor needs `add` and another variant|seeds=.3.: one pair id tells nothing"
    with pytest.raises(BadInput, match=needs):
        noise_floor.noise_floor("digits-nano", [override], partial(sweep, out=tmp_path))
    assert not list(tmp_path.iterdir())


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


@pytest.mark.slow
def test_a_floor_is_measured_once_and_planned_from(run, tmp_path):
    overrides = [*OVERRIDES, "evaluation.redraws=2", "seeds=[0,1]"]
    arguments = ["noise-floor", "--task", "digits-nano", *overrides, "--workers", "1"]
    code, out, _ = run(*arguments, "--json")
    found = json.loads(out)
    assert code == 0 and found["outcome"]["done"] == 6
    rows = ledger.read_ledger(tmp_path / "leaderboards" / "noise-floor-digits-nano" / "ledger")
    last = [row for row in rows if row["final"]]
    for row in last:
        for column, value in (("val_loss_redraws", "val_loss"), ("fd_redraws", "fd")):
            assert len(set(row[column])) == 3 and row[column][0] == row[value]
        assert len({row["fd"], *row["fd_reference_redraws"]}) == 3
    assert all(row["fd_redraws"] is None for row in rows if not row["final"])
    code, out, _ = run(*arguments)
    assert code == 0 and "correlation of pairs" in out and "6 finished earlier" in out
    code, out, _ = run("plan", "--effect", "5%", "--metric", "fd", *overrides)
    assert code == 0 and "paired seeds" in out and "noise-floor-digits-nano" in out


def test_the_shipped_space_redraws():
    assert checked_space(str(SPACE), ["task=digits-nano"]).evaluation.redraws == 4
    assert noise_floor.BASELINE == "add"
