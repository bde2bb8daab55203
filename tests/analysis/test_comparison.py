"""Log ratios of trials of equal pair ids, and which entry is the baseline of another."""

import math

import pytest

from darbench.analysis.comparison import baseline, by_pair, effect_against, log_differences
from darbench.analysis.outcomes import entries
from darbench.records.metric import METRICS
from tests.make.rows import BUDGET, entry_rows


def made(*groups):
    """Entries by routing, of rows at the budget of the fakes."""
    rows = [row for group in groups for row in group]
    return {entry.head["routing"]: entry for entry in entries(rows, BUDGET, {})}


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


def test_the_error_of_an_entry_is_the_root_mean_square_of_its_trials():
    rows = entry_rows("add", (0, 1))
    for row in rows:
        row["kid_se"] = 0.03 if row["pair_id"] else 0.04
    (add,) = made(rows).values()
    assert add.error("kid") == pytest.approx(math.sqrt((0.03**2 + 0.04**2) / 2))
    assert METRICS["fd_inf"].error and add.error("fd_inf") is None
