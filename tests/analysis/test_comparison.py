"""Log ratios of trials of equal pair ids, and which entry is the baseline of another."""

import math

import pytest

from darbench.analysis.comparison import (
    baseline,
    by_pair,
    effect_against,
    judged_effect,
    log_differences,
    reference,
    score,
)
from darbench.analysis.entries import entries
from darbench.records.metric import METRICS
from tests.make.rows import BUDGET, entry_rows
from tests.make.trials import toy_trial


def made(*groups):
    """Entries by routing, of rows at the budget of the fakes."""
    rows = [row for group in groups for row in group]
    return {entry.head["routing"]: entry for entry in entries(rows, BUDGET, {})}


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_the_value_at_the_budget_is_the_last_one_where_the_rate_falls(schedule):
    """A step that costs 1.3 of `add`'s ends .1 % beyond the budget, and learns next to nothing."""
    rows = entry_rows("dar", (0,), cost=1.3, schedule=schedule)
    last = rows[-1]
    assert last["train_flops"] == pytest.approx(1.001 * BUDGET)
    (trial,) = made(rows)["dar"].trials
    wanted = {"constant": 1.0, "linear": 1.001**-0.1}[schedule]
    assert trial.values["val_loss"] == pytest.approx(wanted, rel=1e-9)
    assert trial.values["kid"] == last["kid"]


def test_log_differences_are_of_the_pair_ids_that_both_have():
    found = made(entry_rows("add", (0, 1, 2)), entry_rows("dar", (2, 1, 7), ratio=0.9))
    ours, theirs = (by_pair(found[name].trials) for name in ("dar", "add"))
    for metric in ("val_loss", "fd"):
        assert log_differences(ours, theirs, metric) == pytest.approx([math.log(0.9)] * 2)
        assert log_differences(theirs, ours, metric) == pytest.approx([-math.log(0.9)] * 2)


def test_a_trial_without_the_metric_or_with_other_data_is_no_pair():
    dar = entry_rows("dar", (0, 1, 2), ratio=0.9)
    for row in dar:
        if row["pair_id"] == 0:
            row["fd"] = None
        row |= {"audit_step": 1, "audit_data": "other" if row["pair_id"] == 1 else "same"}
    add = [row | {"audit_step": 1, "audit_data": "same"} for row in entry_rows("add")]
    found = made(add, dar)
    ours, theirs = (by_pair(found[name].trials) for name in ("dar", "add"))
    assert len(log_differences(ours, theirs, "val_loss")) == 2
    assert len(log_differences(ours, theirs, "fd")) == 1
    assert effect_against(found["dar"], found["add"], "fd").n == 1


def test_the_baseline_has_the_backbone_of_the_entry():
    found = made(entry_rows("add", depth=4), entry_rows("dar"), entry_rows("mhc", depth=4))
    everything = found.values()
    assert baseline(found["dar"], everything, "val_loss") is None
    assert baseline(found["mhc"], everything, "val_loss") is found["add"]
    assert baseline(found["add"], everything, "val_loss") is found["add"]


def test_no_result_chooses_the_baseline_of_another_training():
    """Its own `add` diverged; of the others the first that was declared serves, not the best."""
    groups = [
        entry_rows("add", label="lucky", lr=1e-2, ratio=0.5, pairs=(0,)),
        entry_rows("add", label="better", lr=2e-2, ratio=0.7),
        entry_rows("add", label="first", lr=3e-2),
        entry_rows("dar", lr=1e-2, ratio=0.6),
    ]
    order = [toy_trial("add", lr=lr).config_hash for lr in (1e-2, 3e-2, 2e-2)]
    rows = [row for group in groups for row in group]
    found = entries(rows, BUDGET, {}, {config: [0, 1, 2] for config in order})
    assert [e.label for e in found] == ["lucky", "first", "better", "dar"]
    dar = found[-1]
    assert baseline(dar, found, "val_loss").label == "first"
    assert reference(found, "val_loss").label == "first"
    whole = [e for e in found if e.label != "first"]
    assert baseline(dar, whole, "val_loss").label == "better"


CONTROLS = {  # what is changed of a toy trial of `add`, by what it is called
    "skip": {"model": {"skip": "time"}},
    "wide": {"model": {"mlp_hidden": 40}},
    "data": {"objective": "data"},
    "unet data": {"routing": "unet", "objective": "data"},
}


def with_controls(*more):
    """The entries of a section by label, `add` and `unet` and more first, then all controls."""
    rows, controls = [], {}
    for label, changes in [("add", {}), ("unet", {"routing": "unet"}), *more, *CONTROLS.items()]:
        changes = {"routing": "add", "label": label} | changes
        rows += entry_rows(**changes)
        if label in CONTROLS:
            controls[toy_trial(**changes).config_hash] = f"a {label}"
    order = {row["config_hash"]: [0, 1, 2] for row in reversed(rows)}  # controls come first
    return {e.label: e for e in entries(rows, BUDGET, {}, order, controls)}


def test_a_control_is_compared_with_the_add_of_the_backbone_that_it_changes():
    found = with_controls()
    against = {n: baseline(e, found.values(), "val_loss").label for n, e in found.items()}
    assert against == {
        "add": "add",
        "unet": "add",
        "skip": "add",
        "wide": "add",
        "data": "add",
        "unet data": "data",  # which differs in the routing alone
    }


def test_a_control_serves_no_routing_of_another_training_and_is_no_reference():
    found = with_controls(("dar", {"routing": "dar", "lr": 1e-2}))
    assert baseline(found["dar"], found.values(), "val_loss").label == "add"
    assert reference(found.values(), "val_loss").label == "add"
    del found["add"]
    assert baseline(found["dar"], found.values(), "val_loss") is None
    assert baseline(found["unet"], found.values(), "val_loss") is None
    assert reference(found.values(), "val_loss").label == "dar"
    assert {n for n, e in found.items() if e.ranks("val_loss")} == {"dar", "unet"}


def test_a_routing_on_the_backbone_of_a_control_is_compared_with_it():
    skipped = {"routing": "unet", "model": {"skip": "time"}}
    found = with_controls(("unet skip", skipped))
    assert baseline(found["unet skip"], found.values(), "val_loss").label == "skip"


def test_an_entry_that_has_not_finished_is_compared_with_an_add_that_has_not():
    seeds = {toy_trial(r).config_hash: [0, 1, 2] for r in ("add", "dar", "mhc")}
    rows = [*entry_rows("add", (0, 1)), *entry_rows("dar", (0, 1)), *entry_rows("mhc")]
    add, dar, mhc = entries(rows, BUDGET, {}, seeds)
    assert baseline(dar, [add, dar, mhc], "val_loss") is add
    assert baseline(mhc, [add, dar, mhc], "val_loss") is None
    assert reference([add, dar, mhc], "val_loss") is mhc


def test_an_add_that_goes_on_with_other_seeds_still_serves_those_who_do_not_need_them():
    seeds = {toy_trial("add").config_hash: [0, 1, 2, 7], toy_trial("dar").config_hash: [0, 1, 2]}
    add, dar = entries([*entry_rows("add"), *entry_rows("dar")], BUDGET, {}, seeds)
    assert not add.complete("val_loss") and baseline(dar, [add, dar], "val_loss") is add
    assert judged_effect(dar, add, "val_loss").p_value is not None


def test_what_may_be_said_of_an_effect():
    """All declared seeds: a p value. A part, none lost: an interval. Survivors: neither."""
    variant, seeds = {"ratio": 0.9, "wobble": 0.01}, (0, 1, 2, 3)

    def judged(add, dar, wanted=seeds, metric="val_loss"):
        names = {toy_trial(r).config_hash: s for r, s in (("add", add[1]), ("dar", wanted))}
        rows = [*entry_rows("add", add[0]), *entry_rows("dar", dar, **variant)]
        for row in rows:
            row["fd"] = None if (row["routing"], row["pair_id"]) == ("dar", 1) else row["fd"]
        ours, theirs = reversed(entries(rows, BUDGET, {}, names))
        effect = judged_effect(ours, theirs, metric)
        return effect.n, effect.low is not None, effect.p_value is not None

    assert judged((seeds, seeds), seeds) == (4, True, True)
    assert judged((seeds, seeds), seeds, metric="fd") == (3, False, False)
    assert judged((seeds[:3], seeds[:3]), seeds) == (3, True, False)
    assert judged((seeds[:3], seeds), seeds) == (3, False, False)  # add lost one
    assert judged((seeds, seeds), seeds[:3]) == (3, False, False)  # the variant did


def test_a_score_is_the_geometric_ratio_over_common_seeds():
    rows = [*entry_rows("add"), *entry_rows("dar", (1, 2, 7), ratio=0.9, wobble=0.02)]
    seeds = {toy_trial("add").config_hash: [0, 1, 2], toy_trial("dar").config_hash: [1, 2, 7]}
    add, dar = entries(rows, BUDGET, {}, seeds)
    assert score(add, add, "val_loss") == 1
    assert score(dar, add, "val_loss") == pytest.approx(0.9 * math.sqrt(1.00 * 1.02))
    apart = entries([*entry_rows("add"), *entry_rows("dar", (7, 8))], BUDGET, {}, seeds)
    assert score(apart[1], apart[0], "val_loss") is None


def test_the_error_of_an_entry_is_the_root_mean_square_of_its_trials():
    rows = entry_rows("add", (0, 1))
    for row in rows:
        row["kid_se"] = 0.03 if row["pair_id"] else 0.04
    (add,) = made(rows).values()
    assert add.error("kid") == pytest.approx(math.sqrt((0.03**2 + 0.04**2) / 2))
    assert METRICS["fd_inf"].error and add.error("fd_inf") is None
