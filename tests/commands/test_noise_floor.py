"""The noise of a task: from made-up rows, and once as it really runs; and plans from it."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from darbench.cli.tables import kernels
from darbench.commands import noise_floor
from darbench.commands.noise_floor import (
    SPACE,
    computed_otherwise,
    floor,
    last_rows,
    unpaired,
    whole,
)
from darbench.errors import BadInput
from darbench.metrics.scores.validation import RESAMPLES, resampled_losses
from darbench.records.metric import METRICS, Metric, Series
from darbench.search.feasible import checked_space
from darbench.search.sweep import sweep
from darbench.store import ledger
from tests.make.noise import noisy_rows
from tests.make.spaces import OVERRIDES


@pytest.fixture(scope="module")
def known():
    space = checked_space(str(SPACE), ["task=digits-nano", f"seeds={list(range(400))}"])
    return space, noisy_rows(space)


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


def test_the_component_of_the_held_out_images_is_that_of_their_own_losses():
    """Of ratios of means over images, in linear form; part of it is each trial's own."""
    space = checked_space(str(SPACE), ["task=digits-nano", f"seeds={list(range(20))}"])
    rng, rows, linear = np.random.default_rng(1), noisy_rows(space), {}
    hard = rng.gamma(4.0, size=360)  # images that are hard for all
    taste = {name: 0.03 * rng.normal(size=360) for name in ("add", "dar", "hyper")}
    for row in rows:
        losses = hard * (1 + taste[row["routing"]] + 0.06 * rng.normal(size=360))
        row["val_loss_image_redraws"] = resampled_losses([*losses])
        linear.setdefault(row["routing"], []).append(losses / losses.mean())
    base = np.array(linear.pop("add"))
    differences = [np.array(own) - base for own in linear.values()]  # by pair id and image
    shared = [d.mean(axis=0).var() - (d - d.mean(axis=0)).var() / 19 for d in differences]
    found = floor(last_rows(rows, space), "val_loss")
    assert found.images == pytest.approx(np.sqrt(np.mean(shared) / 360), rel=0.15)
    alone = [d.var(axis=1).mean() for d in differences]
    assert found.images < 0.6 * np.sqrt(np.mean(alone) / 360)  # of one trial by itself
    assert floor(last_rows(noisy_rows(space), space), "val_loss") == replace(found, images=None)
    assert floor(last_rows(rows, space), "fd").images is None


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
    rows = noisy_rows(space)
    rows[0]["fd_redraws"][2] = None
    rows[-1] |= {"status": "diverged"}
    found = last_rows(rows, space)
    assert floor(found, "fd").pairs == 3
    assert floor(found, "val_loss").pairs == 4


def test_trials_that_did_not_see_the_same_leave_their_pair_id_out():
    space = checked_space(str(SPACE), ["task=digits-nano"])
    rows = noisy_rows(space)
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
    rows = noisy_rows(space)
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
    found = floor(last_rows(noisy_rows(space), space), "val_loss")
    assert (found.pairs, found.training, found.pairing) == (1, None, None)


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
        assert len(row["val_loss_image_redraws"]) == RESAMPLES
    assert all(row["fd_redraws"] is None for row in rows if not row["final"])
    code, out, _ = run(*arguments)
    assert code == 0 and "correlation of pairs" in out and "6 finished earlier" in out
    code, out, _ = run("plan", "--effect", "5%", "--metric", "fd", *overrides)
    assert code == 0 and "paired seeds" in out and "noise-floor-digits-nano" in out


def test_the_shipped_space_redraws():
    assert checked_space(str(SPACE), ["task=digits-nano"]).ground.evaluation.redraws == 4
    assert noise_floor.BASELINE == "add"
