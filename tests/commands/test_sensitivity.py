"""The sensitivity of a task: from made-up rows, and once as it really runs."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from darbench.cli.tables import kernels, left_out, sensitivity_text
from darbench.commands import sensitivity as module
from darbench.commands.sensitivity import SPACE, Sensitivity, judge
from darbench.errors import BadInput
from darbench.registry import ROUTINGS, signatures
from darbench.search.feasible import checked_space
from darbench.search.files import control
from darbench.search.load import load_space
from darbench.search.sweep import SweepResult, sweep
from darbench.testing.rehearsal import load_rehearsed
from darbench.trial.train import train
from tests.make.rows import last_row
from tests.make.spaces import OVERRIDES

COUNTS = {"name": "x", "total": 0, "skipped": 0, "done": 0, "failed": 0, "interrupted": False}
TINY = [
    *OVERRIDES,
    "training.steps=4",
    "seeds=[0,1]",
    "controls=[{routing: add},{routing: add,model: {depth: 1},label: half the blocks},"
    "{routing: shut,label: upper half shut}]",
]


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """The controls' routing, known to these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))
        load_rehearsed(control())
        yield


def spaces_of(overrides):
    """The space of the controls, and those of `add` with half and with twice the compute."""
    own, *others = module.design("digits-nano", overrides)
    once = checked_space(str(SPACE), own)
    return once, *(load_space(str(SPACE), given, signatures()) for given in others)


@pytest.fixture(scope="module")
def spaces(loaded):
    return spaces_of(TINY)


def rows_with(spaces, noise=0.0, **effects: float) -> list[dict]:
    """Rows in which every control is that much, in log, above `add`; seeds differ by 1 %."""
    rng, rows = np.random.default_rng(0), []
    for space, budget, name in zip(spaces, (4.0, 2.0, 8.0), ("", "half", "twice"), strict=True):
        for configuration in space.grid():
            for seed in space.seeds:
                trial = configuration.trial(seed, "confirm")
                shift = effects.get(name or configuration.variant.label, 0.0)
                value = 0.4 * np.exp(0.01 * seed + shift + noise * rng.normal())
                row = last_row(trial, value)
                rows.append(row | {"train_flops": budget, "budget_flops": budget})
    return rows


KNOWN = {"half the blocks": 0.03, "upper half shut": 0.05, "half": 0.1, "twice": -0.08}


def test_controls_that_are_on_their_side_are_resolved(spaces):
    controls = judge(rows_with(spaces, **KNOWN), *spaces)
    found = Sensitivity(controls=controls, rank_by="val_loss", extractor="x", outcomes=())
    assert found.resolved
    means = {c.name: c.effects["val_loss"].mean for c in controls}
    assert means == pytest.approx(
        {
            "half the compute": np.expm1(0.1),
            "twice the compute": np.expm1(-0.08),
            "half the blocks": np.expm1(0.03),
            "upper half shut": np.expm1(0.05),
        }
    )


@pytest.mark.parametrize("control", KNOWN)
def test_a_control_on_the_wrong_side_is_not_resolved(spaces, control):
    controls = judge(rows_with(spaces, **KNOWN | {control: -KNOWN[control]}), *spaces)
    assert sum(not c.resolved("val_loss") for c in controls) == 1


def test_a_control_within_the_noise_is_not_resolved(spaces):
    rows = rows_with(spaces, noise=0.2, **KNOWN)
    assert not all(c.resolved("val_loss") for c in judge(rows, *spaces))


def test_effects_are_those_of_a_paired_t_test(spaces):
    once, *_ = spaces
    rows = rows_with(spaces, noise=0.02, **KNOWN)
    by_label = {
        c.variant.label: [c.trial(seed, "confirm").id for seed in once.seeds] for c in once.grid()
    }
    value = {row["trial_id"]: np.log(row["val_loss"]) for row in rows if row["final"]}
    shut, add = ([value[i] for i in by_label[name]] for name in ("upper half shut", "add"))
    expected = stats.ttest_rel(shut, add)
    found = {c.name: c.effects["val_loss"] for c in judge(rows, *spaces)}["upper half shut"]
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.high == pytest.approx(np.expm1(expected.confidence_interval(0.95).high))


@pytest.mark.parametrize("told_by", ["variant_code_hash", "protocol_hash"])
def test_rows_of_another_source_or_another_protocol_do_not_count(spaces, told_by):
    rows = rows_with(spaces, **KNOWN)
    for row in rows:
        row[told_by] = "old"
    assert all(c.effects["val_loss"] is None for c in judge(rows, *spaces))
    assert not any(c.resolved("val_loss") for c in judge(rows, *spaces))


def test_a_missing_pair_is_left_out(spaces):
    rows = [r for r in rows_with(spaces, **KNOWN) if r["pair_id"] == 0]
    effect = judge(rows, *spaces)[0].effects["val_loss"]
    assert (effect.n, effect.low) == (1, None)


@pytest.mark.parametrize("failed", ["add", "upper half shut"])
def test_survivors_of_a_failure_resolve_nothing(failed):
    three = [*TINY, "seeds=[0,1,2]"]
    spaces = spaces_of(three)
    rows = rows_with(spaces, **KNOWN)
    assert all(c.resolved("val_loss") for c in judge(rows, *spaces))
    for row in rows:
        if row["label"] == failed and row["pair_id"] == 2 and row["budget_flops"] == 4:
            row |= {"status": "diverged", "val_loss": None, "fd": None}
    controls = {c.name: c for c in judge(rows, *spaces)}
    effect = controls["upper half shut"].effects["val_loss"]
    assert (effect.n, effect.low, effect.p_value) == (2, None, None)
    assert not controls["upper half shut"].resolved("val_loss")
    assert controls["half the compute"].resolved("val_loss") == (failed != "add")
    outcome = SweepResult(**COUNTS, folder=Path(), board=Path(), seconds=1.0)
    result = Sensitivity(
        controls=(*controls.values(),), rank_by="val_loss", extractor="x", outcomes=(outcome,)
    )
    assert "(2 seeds, no interval)" in sensitivity_text(result, "again")


def test_pairs_that_did_not_see_the_same_are_left_out_and_told(spaces):
    rows = rows_with(spaces, noise=0.02, **KNOWN)
    for row in rows:
        shut = row["routing"] == "shut" and row["pair_id"] == 1
        row |= {"audit_step": 4, "audit_data": "other" if shut else f"data{row['pair_id']}"}
    controls = {c.name: c for c in judge(rows, *spaces)}
    assert controls["upper half shut"].effects["val_loss"].n == 1
    assert controls["upper half shut"].unpaired == {1: ["data order differs"]}
    assert controls["half the blocks"].effects["val_loss"].n == 2
    (line,) = left_out({name: control.unpaired for name, control in controls.items()})
    assert line == "left out, not paired with add: upper half shut in seed 1: data order differs"


def test_pairs_of_other_kernels_are_compared_and_told(spaces):
    rows = rows_with(spaces, **KNOWN)
    for row in rows:
        row["arithmetic"] = 1 + (row["routing"] == "shut" and row["pair_id"] == 1)
    controls = {c.name: c for c in judge(rows, *spaces)}
    others = {name: control.other_kernels for name, control in controls.items()}
    assert {name: own for name, own in others.items() if own} == {"upper half shut": [1]}
    assert controls["upper half shut"].effects["val_loss"].n == 2
    (line,) = kernels(others)
    assert line == ("compared all the same, by other kernels than add: upper half shut in seed 1")
    outcome = SweepResult(**COUNTS, folder=Path(), board=Path(), seconds=1.0)
    result = Sensitivity(
        controls=(*controls.values(),), rank_by="val_loss", extractor="x", outcomes=(outcome,)
    )
    assert line in sensitivity_text(result, "again").splitlines()


@pytest.mark.parametrize("controls", ["[{routing: add}]", "[{routing: dar},{routing: shut}]"])
def test_a_task_without_controls_says_so_before_anything_runs(tmp_path, controls):
    with pytest.raises(BadInput, match="task digits-nano has no controls"):
        module.sensitivity("digits-nano", [f"controls={controls}"], partial(sweep, out=tmp_path))
    assert not list(tmp_path.iterdir())


def test_one_pair_id_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(BadInput, match=r"seeds=\[0\]: one pair id tells nothing"):
        module.sensitivity("digits-nano", ["seeds=[0]"], partial(sweep, out=tmp_path))
    assert not list(tmp_path.iterdir())


def test_shut_trains_to_the_bits_of_half_the_blocks(spaces):
    """With the same initial values, data and noise they are one model."""
    once, *_ = spaces
    by_name = {c.variant.label: c.trial(0, "confirm") for c in once.grid()}
    shut, half = ([*train(by_name[n])][-1] for n in ("upper half shut", "half the blocks"))
    assert shut.step == half.step == once.ground.training.steps
    for metric in ("train_loss", "val_loss", "fd", "kid"):
        assert shut.measured[metric] == half.measured[metric]
    assert np.array_equal(shut.samples, half.samples)


def test_shut_is_no_built_in_routing():
    assert "shut" in ROUTINGS.foreign()


@pytest.mark.slow
def test_the_controls_run_are_judged_and_found_again(run, tmp_path):
    arguments = ["sensitivity", "--task", "digits-nano", *TINY, "--workers", "1"]
    for again in (False, True):
        code, out, _ = run(*arguments, "--json")
        found = json.loads(out)
        assert code == (0 if found["resolved"] else 1)
        names = [control["name"] for control in found["controls"]]
        assert names == [
            "half the compute",
            "twice the compute",
            "half the blocks",
            "upper half shut",
        ]
        assert all(control["effects"]["fd"]["n"] == 2 for control in found["controls"])
        done = [outcome["done"] for outcome in found["outcomes"]]
        assert done == ([0, 0, 0] if again else [6, 2, 2])
    code, out, _ = run(*arguments)
    assert "half the compute" in out and "leaderboard:" in out
    # Common random numbers: the first half of a run does not know how long it will go on.
    rows = module.ledger.read_ledger(tmp_path / "leaderboards" / "controls-digits-nano" / "ledger")
    add = [r for r in rows if r["routing"] == "add" and r["sites"] == 4 and r["step"] == 4]
    for seed in (0, 1):
        short, long = (r for r in add if r["pair_id"] == seed)
        assert short["budget_flops"] != long["budget_flops"]
        assert (short["val_loss"], short["fd"]) == (long["val_loss"], long["fd"])
